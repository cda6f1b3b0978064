import type { ProblemSlug } from './problems.ts';

/**
 * Every code that an engine returns, with the problem that a client gets for it. problems.ts has the
 * status, the title and the help text of each problem. `npm run generate` writes
 * embedded-engine/abi/mmc_codes.h and docs/errors.md from these two tables.
 */
export interface MmcCode {
  readonly code: number;
  /** The engine's public name. The codes of its transport have none, so the gateway names them. */
  readonly name: string;
  readonly meaning: string;
}

/** A client sees code and name only if the source is `engine`. */
type CodeSource = 'engine' | 'embedded engine' | 'gateway';

export interface EngineCode extends MmcCode {
  /** Undefined for success only. */
  readonly problem: ProblemSlug | undefined;
  readonly source: CodeSource;
}

const row = (
  code: number,
  name: string,
  meaning: string,
  problem: ProblemSlug | undefined,
  source: CodeSource = 'engine',
): EngineCode => ({ code, name, meaning, problem, source });

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
 * A code of the gateway, outside the engine's range. The engine reported success twice for a read that
 * cannot be trusted: the destination is unchanged, or the read took longer than the lease. Retryable.
 */
export const UNTRUSTED_READ = -900_001;

/**
 * A code of the embedded engine. Another process held a lock for too long, so the call, or this item of
 * its batch, did nothing. Retryable for every operation, unlike MMC_TIMEOUT, after which the outcome of
 * a write is unknown.
 */
export const LOCK_TIMEOUT = -900_002;

// biome-ignore format: one row a line.
export const engineCodes: readonly EngineCode[] = [
  row(MMC_OK, 'MMC_OK', 'done', undefined),
  row(MMC_ERROR, 'MMC_ERROR', 'unspecified failure, often a missing key or no space', 'engine-error'),
  row(MMC_UNUSABLE_POOL, 'MMC_UNUSABLE_POOL', 'the transport cannot reach the memory of the pool', 'engine-fault'),
  row(-3, 'MMC_TRANSPORT_BUSY', "the transport's bounce area is full", 'engine-fault'),
  row(-6, 'MMC_UNSUPPORTED_MEDIUM', 'this host has no memory of the type of the buffer', 'engine-fault'),
  row(-2000, 'MMC_TRANSPORT_FAILED', 'the transport failed', 'engine-fault'),
  row(1, 'MMC_TRANSPORT_OVERLOADED', "the transport's send queue is full", 'engine-fault'),
  row(MMC_INVALID_PARAM, 'MMC_INVALID_PARAM', 'an argument is invalid', 'engine-invalid-parameter'),
  row(-3001, 'MMC_MALLOC_FAILED', 'the engine could not allocate memory for itself', 'engine-out-of-resources'),
  row(-3002, 'MMC_NEW_OBJECT_FAILED', 'the engine could not create an internal object', 'engine-out-of-resources'),
  row(-3003, 'MMC_NOT_STARTED', 'the service has not started', 'engine-unavailable'),
  row(MMC_TIMEOUT, 'MMC_TIMEOUT', 'the engine stopped waiting; the outcome is unknown', 'engine-timeout'),
  row(-3005, 'MMC_REPEAT_CALL', 'the same call is already in flight', 'repeated-call'),
  row(MMC_DUPLICATED_OBJECT, 'MMC_DUPLICATED_OBJECT', 'the key exists; its value is unchanged', 'object-exists'),
  row(MMC_OBJECT_NOT_EXISTS, 'MMC_OBJECT_NOT_EXISTS', 'the object is being written; no replica is readable yet', 'object-being-written'),
  row(-3008, 'MMC_NOT_INITIALIZED', 'the service is not initialised', 'engine-unavailable'),
  row(-3009, 'MMC_NET_SEQ_DUP', 'remote call failed: duplicate sequence number', 'engine-network-fault'),
  row(-3010, 'MMC_NET_SEQ_NO_FOUND', 'remote call failed: no call waits for this response', 'engine-network-fault'),
  row(-3011, 'MMC_ALREADY_NOTIFIED', 'remote call failed: the response was already delivered', 'engine-network-fault'),
  row(MMC_EXCEED_CAPACITY, 'MMC_EXCEED_CAPACITY', 'the capacity of the pool is exceeded', 'no-room'),
  row(-3014, 'MMC_LINK_NOT_FOUND', 'a required peer is not connected', 'engine-unavailable'),
  row(-3015, 'MMC_NET_REQ_HANDLE_NO_FOUND', 'the peer does not support this type of request', 'engine-fault'),
  row(MMC_NOT_ENOUGH_MEMORY, 'MMC_NOT_ENOUGH_MEMORY', 'the pool has no free memory', 'no-room'),
  // The engine spells the next two names in this way.
  row(-3017, 'MMC_NOT_CONNET_META', 'not connected to the meta service', 'engine-unavailable'),
  row(-3018, 'MMC_NOT_CONNET_LOCAL', 'not connected to the service', 'engine-unavailable'),
  row(MMC_CLIENT_NOT_INIT, 'MMC_CLIENT_NOT_INIT', 'the engine client is not initialised', 'engine-unavailable'),
  // From version 1.2 of the engine on, as are -3106 and -3107.
  row(-3020, 'MMC_SSD_NOT_AVAILABLE', 'the SSD that holds the object is unavailable', 'ssd-unavailable'),
  row(-3101, 'MMC_UNMATCHED_STATE', 'the object is in a state that does not allow this', 'unmatched-state'),
  row(MMC_UNMATCHED_KEY, 'MMC_UNMATCHED_KEY', 'no object has this key', 'object-not-found'),
  row(-3103, 'MMC_UNMATCHED_RET', 'the replicas returned different results', 'engine-error'),
  row(-3104, 'MMC_LEASE_NOT_EXPIRED', 'a reader still holds the object', 'lease-active'),
  row(-3105, 'MMC_META_BACKUP_ERROR', 'the meta service could not back up its state', 'engine-error'),
  row(MMC_LEASE_EXPIRED, 'MMC_LEASE_EXPIRED', 'the read took longer than the lease of its object', 'lease-expired'),
  row(-3107, 'MMC_RANGE_ALREADY_WRITTEN', 'this range of the object is already written', 'range-already-written'),
  row(
    UNTRUSTED_READ,
    'MCG_UNTRUSTED_READ',
    'the read cannot be trusted; try again',
    'read-not-trusted',
    'gateway',
  ),
  row(
    LOCK_TIMEOUT,
    'MCG_LOCK_TIMEOUT',
    'another process holds a lock; nothing was done',
    'pool-locked',
    'embedded engine',
  ),
];

/** The table without the columns for HTTP. */
export const mmcCodes: readonly MmcCode[] = engineCodes.map(({ code, name, meaning }) => ({
  code,
  name,
  meaning,
}));

const byCode = new Map(engineCodes.map((entry) => [entry.code, entry]));

/** The row of a code; undefined for a code that the table does not have. */
export const engineCode = (code: number): EngineCode | undefined => byCode.get(code);

/** The name of a code. A code that the table does not have is `MMC_UNKNOWN`, whatever its number. */
export function codeName(code: number): string {
  return byCode.get(code)?.name ?? 'MMC_UNKNOWN';
}

export function codeMeaning(code: number): string {
  return byCode.get(code)?.meaning ?? 'a code that the engine does not document';
}
