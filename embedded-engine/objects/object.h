/*
 * The operations on one object. The ABI entry points (abi.c, abi_batch.c) check the arguments and
 * split batches, so all code below them works on one valid key.
 */
#ifndef MCG_OBJECT_H
#define MCG_OBJECT_H

#include "call.h"
#include "key.h"
#include "mmc_abi.h"

int32_t object_put(struct call *call, const struct key *key, const mmc_buffer *source,
                   const mmc_put_options *options);
int32_t object_get(struct call *call, const struct key *key, const mmc_buffer *destination);
int32_t object_query(struct call *call, const struct key *key, mmc_data_info *info);
int32_t object_exist(struct call *call, const struct key *key);
int32_t object_remove(struct call *call, const struct key *key);

#endif
