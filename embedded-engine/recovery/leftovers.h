/* Removes pools whose clients were all killed. */
#ifndef MCG_LEFTOVERS_H
#define MCG_LEFTOVERS_H

/* Removes the dead pools of this user, except the named one. */
void leftovers_remove(const char *own_name);

#endif
