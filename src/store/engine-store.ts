import { MMC_ERROR, MMC_OBJECT_NOT_EXISTS, MMC_UNMATCHED_KEY } from '../errors/engine-codes.ts';
import { ProblemError } from '../errors/problems.ts';
import type { Arena, Block, DataInfo, PutOptions, SyncCalls } from '../native/abi/types.ts';
import { type Caller, peerOf, waitForRoom } from '../scheduler/arena-room.ts';
import {
  callsForOne,
  callsOnThread,
  type EngineCalls,
  SYNC_COPY_BYTES,
  withinBudget,
} from '../scheduler/engine-calls.ts';
import type { Scheduler } from '../scheduler/scheduler.ts';
import type { PoolBytes } from './admission.ts';
import { ConcurrentReads } from './concurrent-reads.ts';
import { emptyBlock } from './empty-block.ts';
import { problemOfCode, problemOfThrown, type StoreOperation } from './engine-problem.ts';
import { explainNoRoom } from './no-room.ts';
import type { IfExists, ObjectStore, StoreCounts, WriteOutcome } from './object-store.ts';
import type { PoolRoom } from './pool/pool-room.ts';
import { readObject } from './read-objects.ts';
import { RoomWait } from './room-wait.ts';
import { createSizeCache, type SizeCache } from './size-cache.ts';
import { writeObject } from './write-objects.ts';

/** Puts that wait for room in the pool hold at most this part of the arena. */
const WAITING_SHARE = 4;

export interface StoreSettings {
  /** Longest wait for room in the arena, in milliseconds. */
  readonly arenaWaitMs: number;
  /** Longest wait of a put for room in the pool, in milliseconds. */
  readonly putWaitMs: number;
  readonly poolBytes: PoolBytes | undefined;
  /** Room in the pool, where it is known. */
  readonly room: () => PoolRoom | undefined;
  readonly singleFlight: boolean;
  /** With single flight: how old the bytes of a shared read may be, in milliseconds; 0 shares none that are older than the request. */
  readonly staleReadMs: number;
  /** Sizes remembered at most; 0 remembers none. */
  readonly sizeCacheKeys: number;
}

/** The part of the scheduler that the store uses. */
export type StoreScheduler = Pick<Scheduler, 'arena' | 'deadlineMs'> & {
  readonly single: Pick<
    Scheduler['single'],
    'query' | 'get' | 'put' | 'exist' | 'remove' | 'counts'
  >;
  readonly engine: { readonly sync: SyncCalls | undefined };
};

/** The object store over one engine. */
export class EngineStore implements ObjectStore {
  readonly arena: Arena;
  readonly poolBytes: PoolBytes | undefined;
  readonly #scheduler: StoreScheduler;
  readonly #arenaWaitMs: number;
  readonly #roomWait: RoomWait;
  readonly #room: StoreSettings['room'];
  readonly #sync: SyncCalls | undefined;
  readonly #calls: EngineCalls;
  readonly #sizes: SizeCache;
  readonly #shared: ConcurrentReads | undefined;
  #sizedReads = 0;
  #staleReads = 0;

  constructor(scheduler: StoreScheduler, settings: StoreSettings) {
    const { arena, deadlineMs, single } = scheduler;
    const { sync } = scheduler.engine;
    this.arena = arena;
    this.poolBytes = settings.poolBytes;
    this.#scheduler = scheduler;
    this.#arenaWaitMs = settings.arenaWaitMs;
    this.#roomWait = new RoomWait(settings.putWaitMs, arena.totalBytes / WAITING_SHARE);
    this.#room = settings.room;
    this.#sync = sync;
    this.#calls = sync === undefined ? single : callsOnThread(single, sync);
    this.#sizes = createSizeCache(sync === undefined ? settings.sizeCacheKeys : 0);
    if (settings.singleFlight) {
      this.#shared = new ConcurrentReads(
        { deadlineMs, staleReadMs: settings.staleReadMs },
        (key, caller, size) => this.#readAlone(key, caller, size),
        async (key) => (await this.#query('read', key)).size,
      );
    }
  }

  reserve(bytes: number, caller?: Caller): Block | Promise<Block> {
    return (
      this.arena.tryAllocate(bytes, peerOf(caller)) ??
      explained('write', waitForRoom(this.arena, bytes, this.#arenaWaitMs, caller))
    );
  }

  /**
   * On an engine that never waits, most reads of small objects need no promise and allocate only the
   * block. A size that the engine has returned is passed on, so that it is not queried twice.
   */
  read(key: string, caller?: Caller): Block | Promise<Block> {
    const sync = this.#sync;
    const found = sync?.query(key);
    if (sync === undefined || found === undefined) return this.#readLater(key, caller);
    if (found !== 0) throw problemOfCode('read', found);
    const { valid, size } = sync.info;
    if (!valid) throw problemOfCode('read', MMC_UNMATCHED_KEY);
    if (size === 0) return emptyBlock;
    const block = size > SYNC_COPY_BYTES ? undefined : this.arena.tryAllocate(size, peerOf(caller));
    if (block === undefined) return this.#readLater(key, caller, size);
    let code: number | undefined;
    try {
      code = sync.get(key, block, size);
    } finally {
      if (code !== 0) block.release();
    }
    if (code === 0) return block;
    if (code === undefined) return this.#readLater(key, caller, size);
    if (code !== MMC_ERROR) throw problemOfCode('read', code);
    // The object has changed: neither its size nor a block that was read before may be used.
    this.#shared?.forget(key);
    return this.#readLater(key, caller);
  }

  stat(key: string): Promise<DataInfo> {
    return explained('stat', this.#stat(key));
  }

  /** An object that is being written exists: a put of it is refused. */
  exists(key: string): Promise<boolean> {
    const exist = this.#calls.exist(key).then((code) => {
      if (code === 0 || code === MMC_OBJECT_NOT_EXISTS) return true;
      if (code === MMC_UNMATCHED_KEY) return false;
      throw problemOfCode('exists', code);
    });
    return explained('exists', exist);
  }

  write(
    key: string,
    block: Block,
    bytes: number,
    options: PutOptions,
    ifExists: IfExists,
    waiting?: Caller,
  ): WriteOutcome | Promise<WriteOutcome> {
    const sync = this.#sync;
    let code: number | undefined;
    // The engine copies nothing for an object that exists, however large the value is.
    if (sync !== undefined && (bytes <= SYNC_COPY_BYTES || sync.exist(key) === 0)) {
      code = sync.put(key, block, bytes, options);
      if (code === 0) {
        this.#shared?.forget(key);
        return 'created';
      }
    }
    const put = { options, ifExists, waiting };
    return explained('write', this.#write(key, partOf(block, bytes), put, code));
  }

  explainNoRoom(problem: ProblemError, neededBytes: number): ProblemError {
    return explainNoRoom(problem, neededBytes, this.#room);
  }

  endWaits(): void {
    this.#roomWait.end();
  }

  remove(key: string): void | Promise<void> {
    const code = this.#sync?.remove(key);
    if (code === undefined) return explained('remove', this.#remove(key));
    if (code !== 0) throw problemOfCode('remove', code);
    this.#shared?.forget(key);
  }

  changed(key: string, bytes: number | undefined): void {
    this.#forget(key);
    if (bytes !== undefined) this.#sizes.learn(key, bytes);
  }

  counts(): StoreCounts {
    return {
      ...this.#scheduler.single.counts(),
      roomWaiters: this.#roomWait.waiting,
      roomWaits: this.#roomWait.waits,
      sharedReads: this.#shared?.count ?? 0,
      sizedReads: this.#sizedReads,
      staleReads: this.#staleReads,
      knownSizes: this.#sizes.size,
    };
  }

  #readLater(key: string, caller: Caller | undefined, size?: number): Promise<Block> {
    const block = this.#shared?.read(key, caller, size) ?? this.#readAlone(key, caller, size);
    return explained('read', block);
  }

  /** The size of most small objects is known, and there is room: one call, and one promise for it. */
  #readAlone(key: string, caller: Caller | undefined, given: number | undefined): Promise<Block> {
    const size = given === undefined ? this.#sizes.get(key) : undefined;
    const block = size === undefined ? undefined : this.arena.tryAllocate(size, peerOf(caller));
    if (block === undefined) return this.#readUnsized(key, caller, given);
    this.#sizedReads += 1;
    return this.#calls.get(key, block).then(
      (code) => {
        if (code === 0) return block;
        block.release();
        if (code !== MMC_ERROR) throw problemOfCode('read', code);
        this.#staleReads += 1;
        this.#sizes.forget(key);
        return this.#readUnsized(key, caller, undefined);
      },
      (error: unknown) => {
        block.release();
        throw error;
      },
    );
  }

  async #readUnsized(
    key: string,
    caller: Caller | undefined,
    size: number | undefined,
  ): Promise<Block> {
    const engine = callsForOne(this.arena, withinBudget(this.#calls, this.#scheduler.deadlineMs));
    const block = await readObject({ engine, arenaWaitMs: this.#arenaWaitMs }, key, caller, size);
    this.#sizes.learn(key, block.length);
    return block;
  }

  async #query(operation: StoreOperation, key: string): Promise<DataInfo> {
    const { code, info } = await this.#calls.query(key);
    if (code !== 0) throw problemOfCode(operation, code);
    if (!info.valid) throw problemOfCode(operation, MMC_UNMATCHED_KEY);
    return info;
  }

  async #stat(key: string): Promise<DataInfo> {
    const info = await this.#query('stat', key);
    if (info.replicas.length === 0) throw problemOfCode('stat', MMC_OBJECT_NOT_EXISTS);
    this.#sizes.learn(key, info.size);
    return info;
  }

  /** Releases the block at the end. */
  async #write(
    key: string,
    block: Block,
    put: { options: PutOptions; ifExists: IfExists; waiting: Caller | undefined },
    firstCode: number | undefined,
  ): Promise<WriteOutcome> {
    const { options, ifExists, waiting } = put;
    try {
      const calls = withinBudget(this.#calls, this.#scheduler.deadlineMs);
      const code = firstCode ?? (await calls.put(key, block, block.length, options));
      const engine = callsForOne(this.arena, calls, this.#calls);
      const { poolBytes } = this;
      const awaitRoom =
        waiting &&
        ((bytes: number, attempt: () => Promise<boolean>) =>
          this.#roomWait.retry(bytes, waiting, attempt, () => this.#mayEvict()));
      const context = { engine, poolBytes, options, ifExists, awaitRoom };
      const outcome =
        code === 0 ? 'created' : await writeObject(context, { index: 0, key, block }, code);
      if (outcome !== 'kept') this.#sizes.learn(key, block.length);
      return outcome;
    } catch (error) {
      this.#sizes.forget(key);
      if (!(error instanceof ProblemError)) throw error;
      throw this.explainNoRoom(error, block.length * options.replicas);
    } finally {
      block.release();
      this.#shared?.forget(key);
    }
  }

  /** Whether an eviction may make room, as far as is known. */
  #mayEvict(): boolean {
    return this.#room()?.evicts ?? true;
  }

  async #remove(key: string): Promise<void> {
    try {
      const code = await this.#calls.remove(key);
      if (code !== 0) throw problemOfCode('remove', code);
    } finally {
      this.#forget(key);
    }
  }

  /** After a change, and after a call that may have made one. */
  #forget(key: string): void {
    this.#sizes.forget(key);
    this.#shared?.forget(key);
  }
}

/** The first bytes of a block. The engine takes the length of a value from its block. */
function partOf(block: Block, bytes: number): Block {
  if (bytes !== block.length) return block.slice(0, bytes);
  block.retain();
  return block;
}

const explained = <T>(operation: StoreOperation, work: Promise<T>): Promise<T> =>
  work.catch((error: unknown) => {
    throw problemOfThrown(operation, error);
  });
