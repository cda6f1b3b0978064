/**
 * Every code an engine is known to answer (reference/python-api.md, engine.md §2). Names are the
 * engine's public ones; codes of its transport have none there, and carry the ones of mmc_abi.h.
 */
export interface MmcCode {
  readonly code: number;
  readonly name: string;
  readonly meaning: string;
}

const row = (code: number, name: string, meaning: string): MmcCode => ({ code, name, meaning });

export const MMC_OK = 0;
export const MMC_ERROR = -1;
export const MMC_UNUSABLE_POOL = -2;
export const MMC_INVALID_PARAM = -3000;
export const MMC_TIMEOUT = -3004;
export const MMC_DUPLICATED_OBJECT = -3006;
export const MMC_OBJECT_NOT_EXISTS = -3007;
export const MMC_EXCEED_CAPACITY = -3013;
export const MMC_NOT_ENOUGH_MEMORY = -3016;
export const MMC_CLIENT_NOT_INIT = -3019;
export const MMC_UNMATCHED_KEY = -3102;
export const MMC_LEASE_EXPIRED = -3106;

/**
 * Ours, and far from any of the engine's: a read that it called a success twice and that cannot be
 * trusted (canaries left in place, or slower than the lease allows). Retryable.
 */
export const UNTRUSTED_READ = -900_001;

/**
 * The embedded engine's own: another process kept a lock for too long, so the call, or this item of
 * its batch, did nothing. Retryable, whatever the operation; after MMC_TIMEOUT a write's outcome is
 * unknown.
 */
export const LOCK_TIMEOUT = -900_002;

export const mmcCodes: readonly MmcCode[] = [
  row(MMC_OK, 'MMC_OK', 'done'),
  row(MMC_ERROR, 'MMC_ERROR', 'failed without a closer reason: often a missing key or no room'),
  row(MMC_UNUSABLE_POOL, 'MMC_UNUSABLE_POOL', 'the transport reaches no memory of the pool'),
  row(-3, 'MMC_TRANSPORT_BUSY', "the transport's bounce area is full"),
  row(-6, 'MMC_UNSUPPORTED_MEDIUM', 'this host has no memory of the kind the buffer names'),
  row(-2000, 'MMC_TRANSPORT_FAILED', 'the transport failed'),
  row(1, 'MMC_TRANSPORT_OVERLOADED', "the transport's send queue is full"),
  row(MMC_INVALID_PARAM, 'MMC_INVALID_PARAM', 'an argument is not acceptable'),
  row(-3001, 'MMC_MALLOC_FAILED', 'the engine could not allocate memory for itself'),
  row(-3002, 'MMC_NEW_OBJECT_FAILED', 'the engine could not create an internal object'),
  row(-3003, 'MMC_NOT_STARTED', 'the service has not started'),
  row(MMC_TIMEOUT, 'MMC_TIMEOUT', 'the engine gave up waiting; whether it took effect is unknown'),
  row(-3005, 'MMC_REPEAT_CALL', 'the same call is already under way'),
  row(MMC_DUPLICATED_OBJECT, 'MMC_DUPLICATED_OBJECT', 'the key exists; its value is unchanged'),
  row(MMC_OBJECT_NOT_EXISTS, 'MMC_OBJECT_NOT_EXISTS', 'no replica is readable: being written'),
  row(-3008, 'MMC_NOT_INITIALIZED', 'the service is not initialised'),
  row(-3009, 'MMC_NET_SEQ_DUP', 'remote call fault: a sequence number came twice'),
  row(-3010, 'MMC_NET_SEQ_NO_FOUND', 'remote call fault: an answer nobody waits for'),
  row(-3011, 'MMC_ALREADY_NOTIFIED', 'remote call fault: answered already'),
  row(MMC_EXCEED_CAPACITY, 'MMC_EXCEED_CAPACITY', 'over the capacity of the pool'),
  row(-3014, 'MMC_LINK_NOT_FOUND', 'no connection to a needed peer'),
  row(-3015, 'MMC_NET_REQ_HANDLE_NO_FOUND', 'the peer does not know this kind of request'),
  row(MMC_NOT_ENOUGH_MEMORY, 'MMC_NOT_ENOUGH_MEMORY', 'no memory left in the pool'),
  row(-3017, 'MMC_NOT_CONNET_META', 'not connected to the meta service'),
  row(-3018, 'MMC_NOT_CONNET_LOCAL', 'not connected to the local service'),
  row(MMC_CLIENT_NOT_INIT, 'MMC_CLIENT_NOT_INIT', 'the client is not initialised'),
  row(-3020, 'MMC_SSD_NOT_AVAILABLE', 'the SSD that holds the object is not available'),
  row(-3101, 'MMC_UNMATCHED_STATE', 'the object is in a state that does not allow this'),
  row(MMC_UNMATCHED_KEY, 'MMC_UNMATCHED_KEY', 'there is no object of this key'),
  row(-3103, 'MMC_UNMATCHED_RET', 'replicas gave different answers'),
  row(-3104, 'MMC_LEASE_NOT_EXPIRED', 'a reader still holds the object'),
  row(-3105, 'MMC_META_BACKUP_ERROR', 'the meta service could not back up its state'),
  row(MMC_LEASE_EXPIRED, 'MMC_LEASE_EXPIRED', 'the read outlasted the lease of its object'),
  row(-3107, 'MMC_RANGE_ALREADY_WRITTEN', 'this range of the object is already written'),
  row(UNTRUSTED_READ, 'MCG_UNTRUSTED_READ', 'the read cannot be trusted; try again'),
  row(LOCK_TIMEOUT, 'MCG_LOCK_TIMEOUT', 'another process keeps a lock, so nothing was done'),
];

const byCode = new Map(mmcCodes.map((entry) => [entry.code, entry]));

/** The name of a code; those nobody documented are `MMC_UNKNOWN`, the number tells them apart. */
export function codeName(code: number): string {
  return byCode.get(code)?.name ?? 'MMC_UNKNOWN';
}

export function codeMeaning(code: number): string {
  return byCode.get(code)?.meaning ?? 'a code that the engine does not document';
}
