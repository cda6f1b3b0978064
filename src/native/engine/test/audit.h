/* Looks into a pool at rest: everything that is derived must agree with the entry table. */
#ifndef MCG_TEST_AUDIT_H
#define MCG_TEST_AUDIT_H

/* No call may be in progress in any client. */
void audit_pool(void);

#endif
