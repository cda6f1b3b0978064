/* The membership of this process in a pool: at most one, as in the distributed engine. */
#ifndef MCG_CLIENT_H
#define MCG_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

int32_t client_join(bool contributes_memory);
void client_leave(void);
void client_disown(void); /* in a forked child */

/* Only valid during a call. */
bool client_contributes(void);
uint32_t client_service_id(void);

#endif
