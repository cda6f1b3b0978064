/**
 * The contract between the native code and the modules above it: the arena, its blocks, the calls on
 * the JavaScript thread, and the result of a query. Modules above `native/` use only these types and
 * never see an address.
 */

/** The engine's information about one object (`mmc_data_info`, docs/engine-facts.md §1). */
export interface DataInfo {
  /** False if the key is missing: the engine returns 0 for such a query (docs/engine-facts.md §4). */
  valid: boolean;
  /** Bytes; an exact integer up to 2^53. */
  size: number;
  /** The location of each replica, in the engine's order. */
  replicas: Replica[];
}

export type Medium = 'HBM' | 'DRAM' | 'SSD';

export interface Replica {
  serviceId: number;
  medium: Medium;
}

/** Placement of a put (`mmc_put_options`): 1…8 replicas, and at most as many mandatory service ids. */
export interface PutOptions {
  readonly replicas: number;
  readonly prefer: readonly number[];
}

/**
 * A piece of the arena. It starts with one user, the caller of the allocation, and is released with its
 * last user. An engine call is a user until it returns; a response is one until its bytes are sent.
 */
export interface Block {
  /** The requested bytes. */
  readonly length: number;
  /** The bytes, exactly `length` long; external memory, valid until the last release. */
  readonly view: Buffer;
  /** Adds a user. Throws if the block is already released. */
  retain(): void;
  /**
   * A part of the block, `length` bytes from `offset` on, with its own user: the block stays in use until
   * the part is released. @throws RangeError for bytes outside the block, and for none
   */
  slice(offset: number, length: number): Block;
  /** Removes a user; releases the block with the last one. Throws if the block is already released. */
  release(): void;
}

export interface ArenaStats {
  totalBytes: number;
  usedBytes: number;
  blocks: number;
  waiters: number;
  waitingBytes: number;
}

export interface ArenaPressure {
  /** Requests refused for lack of memory since the start of the process. */
  readonly refusals: number;
  /** Requests refused because their peer held its share. */
  readonly shareRefusals: number;
  /** How long the arena has had no memory for refused requests; undefined while it has. */
  readonly refusingForMs: number | undefined;
  /** Free bytes that only small blocks can use. */
  readonly reserveFreeBytes: number;
}

export interface Arena {
  readonly totalBytes: number;
  /** The largest possible block; a larger request gets 413 before its body is read. */
  readonly maxBlockBytes: number;
  /**
   * A block at once, or undefined if there is no memory or other requests wait (fairness). The block
   * counts against `peer`, an object that represents one client.
   */
  tryAllocate(bytes: number, peer?: object): Block | undefined;
  /**
   * A block, in order of request; a peer beyond its share is skipped while others wait. Rejects with
   * ArenaFullError after `deadlineMs`, with RangeError if it can never fit, and with the reason of the
   * signal when aborted (a waiter then leaves the queue).
   */
  allocate(
    bytes: number,
    options: { deadlineMs: number; signal?: AbortSignal; peer?: object | undefined },
  ): Promise<Block>;
  /** Whether a peer holds more than its share in large blocks, while others wait. */
  isCrowding(peer: object | undefined): boolean;
  stats(): ArenaStats;
  pressure(): ArenaPressure;
}

/**
 * Calls on the JavaScript thread, for an engine that never waits (`mmc_embedded_nonblocking`). Each
 * returns the engine's code, or undefined if another process holds a required lock: it has then
 * changed nothing, and the asynchronous call must wait for the lock. Each query overwrites `info`.
 */
export interface SyncCalls {
  readonly info: Readonly<DataInfo>;
  /** Fills only `size` and `valid` of `info`; `queryFull` also reads the replicas. */
  query(key: string): number | undefined;
  queryFull(key: string): number | undefined;
  get(key: string, block: Block, length: number): number | undefined;
  put(key: string, block: Block, length: number, options: PutOptions): number | undefined;
  exist(key: string): number | undefined;
  remove(key: string): number | undefined;
}

/** Called after an engine call with its operation, the engine's code, and the duration. */
export type CallObserver = (operation: EngineOperation, code: number, elapsedMs: number) => void;

export type EngineOperation =
  | 'get'
  | 'put'
  | 'query'
  | 'exist'
  | 'remove'
  | 'batch_get'
  | 'batch_put'
  | 'batch_query'
  | 'batch_exist'
  | 'batch_remove'
  | 'list';
