/* What calls in progress are reading or writing, visible to every client of the pool. */
#ifndef MCG_PIN_H
#define MCG_PIN_H

#include "call.h"
#include "entry.h"

/* Set while the entry's shard is locked, or by the owner of a reserved entry. */
void pin_set(const struct call *call, const struct entry *entry, uint64_t services);
/* Also before allocating in a segment, so that its memory is not returned meanwhile. */
void pin_add_service(const struct call *call, uint32_t service);
/* Reclaims the entry if it was removed while it was pinned. */
void pin_clear(const struct call *call, struct entry *entry);

bool pin_is_set(const struct entry *entry);
/* All services that some live client is using. */
uint64_t pin_services_in_use(void);
void pin_clear_all(struct client *client);

#endif
