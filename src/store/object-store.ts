import type { Arena, Block, DataInfo, PutOptions } from '../native/types.ts';
import type { PoolBytes } from './admission.ts';
import type { Caller } from './arena-room.ts';
import type { Breaker } from './circuit.ts';

/** What a PUT does about an object that is there already. */
export type IfExists = 'fail' | 'keep' | 'replace';
export type WriteOutcome = 'created' | 'kept' | 'replaced';

/**
 * Objects by key, as the routes want them. Each method answers at once where the engine can be
 * called on this thread, else with a promise; each fails with a ProblemError that a client can be
 * shown, never with a bare engine code.
 */
export interface ObjectStore {
  readonly arena: Arena;
  /** Bytes of the pool where the gateway knows them (embedded engine), to refuse early. */
  readonly poolBytes: PoolBytes | undefined;
  /** Room for a value on its way in, in order of asking; fails with arena-full, or ClientGoneError when the caller left. */
  reserve(bytes: number, caller?: Caller): Block | Promise<Block>;
  /**
   * The whole object in a block, of which the caller is the user. Fails with object-not-found,
   * object-being-written, object-changed, read-not-trusted, arena-full and the engine's own.
   */
  read(key: string, caller?: Caller): Block | Promise<Block>;
  /** Size and replicas, without the bytes; fails with object-not-found. */
  stat(key: string): DataInfo | Promise<DataInfo>;
  exists(key: string): boolean | Promise<boolean>;
  /**
   * Stores the first `bytes` of a block as an object. The engine holds the block until its call returned; the caller
   * keeps its own hold. Fails with object-exists, no-room, pool-too-small, placement-impossible.
   */
  write(
    key: string,
    block: Block,
    bytes: number,
    options: PutOptions,
    ifExists: IfExists,
  ): WriteOutcome | Promise<WriteOutcome>;
  /** Fails with object-not-found. */
  remove(key: string): void | Promise<void>;
  /**
   * To be told of every write and removal that was not made here: `bytes` is the size that the object
   * has now, where that is known.
   */
  changed(key: string, bytes: number | undefined): void;
  /** Of each kind of operation: whether it is refused at once, since all calls made for it are late. */
  readonly breakers: readonly Breaker[];
  counts(): StoreCounts;
}

/** What the store has saved the engine, since the process began. */
export interface StoreCounts {
  /** Keys that went to the engine through coalescing, and the calls they went in. */
  readonly keys: number;
  readonly calls: number;
  /** Operations that wait for a call, now. */
  readonly waiting: number;
  /** Reads that were given the block of another one. */
  readonly sharedReads: number;
  /** Reads whose size was known from before, and those of them where it had changed. */
  readonly sizedReads: number;
  readonly staleReads: number;
  /** Sizes remembered, now. */
  readonly knownSizes: number;
}
