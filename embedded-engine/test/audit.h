/* Checks an idle pool: all derived data must agree with the entry table. */
#ifndef MCG_TEST_AUDIT_H
#define MCG_TEST_AUDIT_H

/* No call may be in progress in any client. */
void audit_pool(void);

#endif
