/* One page of the keys of the pool, sorted by their bytes. */
#ifndef MCG_LIST_H
#define MCG_LIST_H

#include "call.h"
#include "key.h"
#include "mmc_abi.h"

/* The keys that begin with `prefix` and come after `after`; both may be empty. */
struct list_range {
  struct key prefix;
  struct key after;
};

/* Fills a page whose members the caller has checked. MMC_MALLOC_FAILED without memory for it. */
int32_t list_keys(struct call *call, const struct list_range *range, mmc_embedded_key_page *page);

#endif
