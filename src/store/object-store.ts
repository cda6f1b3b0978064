import type { ProblemError } from '../errors/problems.ts';
import type { Arena, Block, DataInfo, PutOptions } from '../native/abi/types.ts';
import type { Caller } from '../scheduler/arena-room.ts';
import type { PoolBytes } from './admission.ts';

/** The effect of a PUT if the object exists. */
export type IfExists = 'fail' | 'keep' | 'replace';
export type WriteOutcome = 'created' | 'kept' | 'replaced';

/**
 * Objects by key. A method returns its result at once if the engine can be called on this thread, and a
 * promise otherwise. It fails with a ProblemError, which explains the engine's code to a client.
 */
export interface ObjectStore {
  readonly arena: Arena;
  /** Size of the pool, where the gateway knows it (embedded engine): larger values are refused early. */
  readonly poolBytes: PoolBytes | undefined;
  /**
   * A block for a value that will be received, in order of arrival. Fails with arena-full, and with
   * ClientGoneError when the client has closed its connection.
   */
  reserve(bytes: number, caller?: Caller): Block | Promise<Block>;
  /**
   * The whole object in a block, which the caller must release. Fails with object-not-found,
   * object-being-written, object-changed, read-not-trusted, arena-full, and with the problems of the
   * engine's codes.
   */
  read(key: string, caller?: Caller): Block | Promise<Block>;
  /** Size and replicas, without the bytes; fails with object-not-found. */
  stat(key: string): DataInfo | Promise<DataInfo>;
  exists(key: string): boolean | Promise<boolean>;
  /**
   * Stores the first `bytes` of a block as an object. The engine call retains the block until it
   * returns; the caller still releases its own hold. Fails with object-exists, no-room, pool-too-small,
   * placement-impossible. For a client in `waiting` it waits for room in the pool (--put-wait-ms), until
   * that client disconnects, or the engine is known to evict nothing.
   */
  write(
    key: string,
    block: Block,
    bytes: number,
    options: PutOptions,
    ifExists: IfExists,
    waiting?: Caller,
  ): WriteOutcome | Promise<WriteOutcome>;
  /** A `no-room` of a put of this many bytes, replicas included, with what is known of the pool (no-room.ts). */
  explainNoRoom(problem: ProblemError, neededBytes: number): ProblemError;
  /** From now on no write waits for room: the gateway shuts down. */
  endWaits(): void;
  /** Fails with object-not-found. */
  remove(key: string): void | Promise<void>;
  /**
   * Must be called after a write or a removal that was not made through this store: otherwise a later
   * read uses an old size, or old bytes. `bytes` is the new size of the object, where it is known.
   */
  changed(key: string, bytes: number | undefined): void;
  counts(): StoreCounts;
}

/** Engine calls that the store has saved, since the process began. */
export interface StoreCounts {
  /** Keys that were coalesced, and the engine calls that carried them. */
  readonly keys: number;
  readonly calls: number;
  /** Operations that wait for a call now. */
  readonly waiting: number;
  /** Puts that wait for room in the pool now, and those that have waited. */
  readonly roomWaiters: number;
  readonly roomWaits: number;
  /** Reads that received the block of another read. */
  readonly sharedReads: number;
  /** Reads that used a remembered size, and those of them whose object had another size. */
  readonly sizedReads: number;
  readonly staleReads: number;
  /** Sizes that are remembered now. */
  readonly knownSizes: number;
}
