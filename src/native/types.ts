/**
 * The contract between the native side and the store above it: an engine client, the arena whose
 * blocks it reads and writes, and what a query answers. Everything above `native/` uses these types
 * only; nothing above it sees an address.
 */

/** What the engine knows of one object (`mmc_data_info`, engine.md §1). */
export interface DataInfo {
  /** False when the key is missing: the engine answers a query of a missing key with 0 (engine.md §2). */
  valid: boolean;
  /** Bytes; an exact integer up to 2^53. */
  size: number;
  /** Where each replica lives, in the engine's order. */
  replicas: Replica[];
}

export type Medium = 'HBM' | 'DRAM' | 'SSD';

export interface Replica {
  serviceId: number;
  medium: Medium;
}

/** Placement of a put (`mmc_put_options`): 1…8 replicas, and the service ids to force, at most as many. */
export interface PutOptions {
  readonly replicas: number;
  readonly prefer: readonly number[];
}

/**
 * A piece of the arena. It starts with one user (its allocator) and is freed when the last user lets
 * go: the engine call that works on it is a user until it returns, the response until its bytes left.
 */
export interface Block {
  /** Bytes asked for. */
  readonly length: number;
  /** The bytes themselves, exactly `length` long; external memory, valid until the last release. */
  readonly view: Buffer;
  /** Adds a user. Throws on a freed block. */
  retain(): void;
  /** Removes a user; frees at zero. Throws when called on a freed block: a double free is a defect. */
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
  /** Requests that were refused because there was no room in time, since the process began. */
  readonly refusals: number;
  /** How long the arena has had no room for what it refused; undefined while it has room. */
  readonly refusingForMs: number | undefined;
  /** Free bytes that only small blocks can take. */
  readonly reserveFreeBytes: number;
}

export interface Arena {
  readonly totalBytes: number;
  /** The largest block that can ever be given out; more gets 413 before a body is read. */
  readonly maxBlockBytes: number;
  /**
   * A block at once, or undefined when there is no room now or others wait before us (fair). The block
   * counts against `peer`, an object that stands for one client.
   */
  tryAllocate(bytes: number, peer?: object): Block | undefined;
  /**
   * A block, in order of asking; a peer beyond its share is passed over while others wait. Rejects with ArenaFullError after `deadlineMs`, with RangeError when
   * it can never fit, with the signal's reason when aborted (a waiter then leaves the queue).
   */
  allocate(
    bytes: number,
    options: { deadlineMs: number; signal?: AbortSignal; peer?: object | undefined },
  ): Promise<Block>;
  stats(): ArenaStats;
  pressure(): ArenaPressure;
}

/**
 * Calls made on the JavaScript thread, for an engine that never waits (`mmc_embedded_nonblocking`).
 * Each returns the engine's code, any but 0 a failure; or undefined when another process holds a lock
 * that the call needs: it has changed nothing, and the asynchronous call waits for the lock. `info` is
 * overwritten by each query.
 */
export interface SyncCalls {
  readonly info: Readonly<DataInfo>;
  /** Fills `size` and `valid` of `info` only: replicas are read by `queryFull`. */
  query(key: string): number | undefined;
  queryFull(key: string): number | undefined;
  get(key: string, block: Block, length: number): number | undefined;
  put(key: string, block: Block, length: number, options: PutOptions): number | undefined;
  exist(key: string): number | undefined;
  remove(key: string): number | undefined;
}

/**
 * A code and, for reads, how long the last attempt took. Reads are verified (design.md §2): one that
 * the engine twice called a success, and that left marks of ours in place or took longer than `slowReadMs`, has
 * the code UNTRUSTED_READ of codes.ts, as do such items of a batch and the reads of SyncCalls.
 */
export interface CallResult {
  code: number;
  elapsedMs: number;
}

export interface Replaced {
  /** Of each item. */
  readonly removed: Int32Array;
  /** Of those alone that were then gone (0 or −3102), in order. */
  readonly stored: Int32Array;
}

/**
 * Told once when the engine is done with a call and its slot is free, which is long after the promise
 * was rejected where the call outlasted its deadline; or when the call was never begun.
 */
export type Returned = () => void;

/**
 * One process-wide client of an engine. Asynchronous calls run on libuv's pool, at most `slots` at a
 * time (besides probes, and calls in the place of late ones), in order. Each resolves with the engine's code; each rejects with
 * - EngineDeadlineError when the call, its wait for a slot included, outlasts `deadlineMs`: the call
 *   goes on, and keeps its block and its slot until it returns;
 * - EngineStuckError at once when every slot is held by a call past its deadline; those in line are
 *   told so, too: they never reached the engine;
 * - EngineClosedError after close.
 * Arguments (key bytes, structs, blocks) are held until the callback.
 */
export interface EngineClient {
  readonly library: string;
  readonly embedded: boolean;
  readonly device: number;
  readonly serviceId: number;
  readonly arena: Arena;
  /** For each call, its wait for a slot included. */
  readonly deadlineMs: number;
  /** Present only when the engine exports `mmc_embedded_nonblocking`. */
  readonly sync: SyncCalls | undefined;
  query(key: string, returned?: Returned): Promise<{ code: number; info: DataInfo }>;
  get(key: string, block: Block, length: number, returned?: Returned): Promise<CallResult>;
  put(
    key: string,
    block: Block,
    length: number,
    options: PutOptions,
    returned?: Returned,
  ): Promise<number>;
  exist(key: string, returned?: Returned): Promise<number>;
  remove(key: string, returned?: Returned): Promise<number>;
  batchQuery(
    keys: readonly string[],
    returned?: Returned,
  ): Promise<{ code: number; infos: DataInfo[] }>;
  batchGet(
    keys: readonly string[],
    blocks: readonly Block[],
    returned?: Returned,
  ): Promise<{ code: number; results: Int32Array; elapsedMs: number }>;
  batchPut(
    keys: readonly string[],
    blocks: readonly Block[],
    options: PutOptions,
    returned?: Returned,
  ): Promise<{ code: number; results: Int32Array }>;
  batchExist(
    keys: readonly string[],
    returned?: Returned,
  ): Promise<{ code: number; results: Int32Array }>;
  batchRemove(
    keys: readonly string[],
    returned?: Returned,
  ): Promise<{ code: number; results: Int32Array }>;
  /**
   * A remove and a put of what is gone by it, as one call with one deadline and one slot: once removed,
   * an object is replaced, whoever else calls, and though this was rejected meanwhile.
   */
  batchReplace(
    keys: readonly string[],
    blocks: readonly Block[],
    options: PutOptions,
    returned?: Returned,
  ): Promise<Replaced>;
  /**
   * One put, get and remove of a key of its own, bytes compared, on a slot kept for it; used after
   * init, by readiness, and to find out whether an engine whose calls hang works again.
   */
  probe(deadlineMs: number): Promise<void>;
  /**
   * `inFlight` calls are running; `late` of them are past their deadline; `queued` wait for a slot.
   * Calls of probes are counted, and have no part of `slots`.
   */
  calls(): { slots: number; inFlight: number; late: number; queued: number };
  /** Those under way that are no probe's: somebody asked for them. */
  readonly callsOfRequests: number;
  /** Whether every slot is held by a call past its deadline, so that calls are refused at once. */
  readonly stuck: boolean;
  /**
   * Adds a slot in the place of one that a late call holds, and takes it away when late calls return.
   * False when the engine bears no more calls.
   */
  substitute(): boolean;
  /** Set by the metrics: called after every engine call, sync ones too. Null costs nothing. */
  onCall:
    | ((operation: EngineOperation, code: number, elapsedMs: number, bytes: number) => void)
    | undefined;
  /**
   * Waits for calls in flight up to half of `deadlineMs`, and uninitialises in what is left of it. True
   * when clean; false when the process must `_exit`.
   */
  close(deadlineMs: number): Promise<boolean>;
}

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
  | 'batch_remove';
