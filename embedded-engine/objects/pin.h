/* The entries and segments that calls in progress use, visible to every client of the pool. */
#ifndef MCG_PIN_H
#define MCG_PIN_H

#include "call.h"
#include "entry.h"

/* Call it while the shard of the entry is locked, or as the owner of a reserved entry. */
void pin_set(const struct call *call, const struct entry *entry, uint64_t services);
/* Call it before allocating in a segment; otherwise its memory could be returned to the kernel. */
void pin_add_service(const struct call *call, uint32_t service);
/* Reclaims the entry if it was removed while it was pinned. */
void pin_clear(const struct call *call, struct entry *entry);

bool pin_is_set(const struct entry *entry);
/* All services whose memory a call uses. */
uint64_t pin_services_in_use(void);
void pin_clear_all(struct client *client);

#endif
