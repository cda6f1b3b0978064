/*
 * The codes of the engine's calls; anything but MMC_OK is a failure.
 * Generated from src/errors/engine-codes.ts by `npm run generate`; edit the table, not this file.
 */
#ifndef MMC_CODES_H
#define MMC_CODES_H

enum mmc_code {
  MMC_OK = 0, /* done */
  MMC_ERROR = -1, /* unspecified failure, often a missing key or no space */
  MMC_UNUSABLE_POOL = -2, /* the transport cannot reach the memory of the pool */
  MMC_TRANSPORT_BUSY = -3, /* the transport's bounce area is full */
  MMC_UNSUPPORTED_MEDIUM = -6, /* this host has no memory of the type of the buffer */
  MMC_TRANSPORT_FAILED = -2000, /* the transport failed */
  MMC_TRANSPORT_OVERLOADED = 1, /* the transport's send queue is full */
  MMC_INVALID_PARAM = -3000, /* an argument is invalid */
  MMC_MALLOC_FAILED = -3001, /* the engine could not allocate memory for itself */
  MMC_NEW_OBJECT_FAILED = -3002, /* the engine could not create an internal object */
  MMC_NOT_STARTED = -3003, /* the service has not started */
  MMC_TIMEOUT = -3004, /* the engine stopped waiting; the outcome is unknown */
  MMC_REPEAT_CALL = -3005, /* the same call is already in flight */
  MMC_DUPLICATED_OBJECT = -3006, /* the key exists; its value is unchanged */
  MMC_OBJECT_NOT_EXISTS = -3007, /* the object is being written; no replica is readable yet */
  MMC_NOT_INITIALIZED = -3008, /* the service is not initialised */
  MMC_NET_SEQ_DUP = -3009, /* remote call failed: duplicate sequence number */
  MMC_NET_SEQ_NO_FOUND = -3010, /* remote call failed: no call waits for this response */
  MMC_ALREADY_NOTIFIED = -3011, /* remote call failed: the response was already delivered */
  MMC_EXCEED_CAPACITY = -3013, /* the capacity of the pool is exceeded */
  MMC_LINK_NOT_FOUND = -3014, /* a required peer is not connected */
  MMC_NET_REQ_HANDLE_NO_FOUND = -3015, /* the peer does not support this type of request */
  MMC_NOT_ENOUGH_MEMORY = -3016, /* the pool has no free memory */
  MMC_NOT_CONNET_META = -3017, /* not connected to the meta service */
  MMC_NOT_CONNET_LOCAL = -3018, /* not connected to the service */
  MMC_CLIENT_NOT_INIT = -3019, /* the engine client is not initialised */
  MMC_SSD_NOT_AVAILABLE = -3020, /* the SSD that holds the object is unavailable */
  MMC_UNMATCHED_STATE = -3101, /* the object is in a state that does not allow this */
  MMC_UNMATCHED_KEY = -3102, /* no object has this key */
  MMC_UNMATCHED_RET = -3103, /* the replicas returned different results */
  MMC_LEASE_NOT_EXPIRED = -3104, /* a reader still holds the object */
  MMC_META_BACKUP_ERROR = -3105, /* the meta service could not back up its state */
  MMC_LEASE_EXPIRED = -3106, /* the read took longer than the lease of its object */
  MMC_RANGE_ALREADY_WRITTEN = -3107, /* this range of the object is already written */
  MCG_LOCK_TIMEOUT = -900002, /* another process holds a lock; nothing was done */
};

#endif
