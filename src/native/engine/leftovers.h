/* Pools whose clients were all killed: nobody is left to remove them but the next one to come. */
#ifndef MCG_LEFTOVERS_H
#define MCG_LEFTOVERS_H

/* Removes this user's dead pools other than the one named. */
void leftovers_remove(const char *own_name);

#endif
