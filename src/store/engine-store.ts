import type { Block, EngineClient } from '../native/types.ts';
import type { PoolBytes } from './admission.ts';
import { type Caller, peerOf, waitForRoom } from './arena-room.ts';
import { coalescedCalls } from './coalesced-calls.ts';
import { emptyBlock } from './empty-block.ts';
import { engineCalls, SYNC_COPY_BYTES, withinBudget } from './engine-calls.ts';
import { problemOfCode, problemOfThrown, type StoreOperation } from './engine-problem.ts';
import type { ObjectStore } from './object-store.ts';
import { type FirstTry, readObject, sizeOf } from './read-object.ts';
import { createSingleFlight } from './single-flight.ts';
import { createSizeCache } from './size-cache.ts';
import { createStaleBlocks, type StaleBlocks } from './stale-blocks.ts';
import { type Write, writeObject } from './write-object.ts';

export interface StoreSettings {
  /** Longest wait for room in the arena, in milliseconds. */
  readonly arenaWaitMs: number;
  readonly poolBytes: PoolBytes | undefined;
  /** Whether single operations share engine calls, and reads of one object one read. */
  readonly coalescing: boolean;
  readonly singleFlight: boolean;
  /** With single flight: how old the bytes of a shared read may be, in milliseconds; 0 shares none that are older than the request. */
  readonly staleReadMs: number;
  /** Sizes remembered at most; 0 remembers none. */
  readonly sizeCacheKeys: number;
}

/** The object store over one engine client. */
export function engineStore(engine: EngineClient, settings: StoreSettings): ObjectStore {
  const { arena, sync } = engine;
  const { arenaWaitMs, poolBytes } = settings;
  // An engine that is called on this thread has answered before anything else could come.
  const coalesced = sync === undefined && settings.coalescing ? coalescedCalls(engine) : undefined;
  const calls = coalesced ?? engineCalls(engine);
  const sizes = createSizeCache(sync === undefined ? settings.sizeCacheKeys : 0);
  const { singleFlight, staleReadMs } = settings;
  const flights = singleFlight ? createSingleFlight(engine) : undefined;
  const stale = singleFlight && staleReadMs > 0 ? createStaleBlocks(staleReadMs) : undefined;
  let sizedReads = 0;
  let staleReads = 0;
  const slow = {
    read: (key: string, caller: Caller | undefined, known?: FirstTry) =>
      explained('read', readOf(key, caller, known)),
    stat: (key: string) => explained('stat', statOf(key)),
    exists: (key: string) => explained('exists', existsOf(key)),
    remove: (key: string) => explained('remove', removeOf(key)),
  };

  /** `known` is what this thread has just asked the engine. */
  function readOf(
    key: string,
    caller: Caller | undefined,
    known: FirstTry | undefined,
  ): Promise<Block> {
    if (flights === undefined) return readAlone(key, caller, known);
    const block = known === undefined ? undefined : takeStale(key, known);
    if (block !== undefined) return Promise.resolve(block);
    // A read that begins later must not rely on what the engine answered before.
    return flights.join(key, caller, (all, deferred) => {
      const fresh = deferred ? undefined : known;
      return stale === undefined
        ? readAlone(key, all, fresh)
        : readOrTakeStale(stale, key, all, fresh);
    });
  }

  /** One query for all requests of a shared read decides whether they may have an older block. */
  async function readOrTakeStale(
    blocks: StaleBlocks,
    key: string,
    caller: Caller,
    known: FirstTry | undefined,
  ): Promise<Block> {
    const asked =
      known === undefined && blocks.mayHave(key) ? { size: await sizeOf(calls, key) } : known;
    const block = asked === undefined ? undefined : takeStale(key, asked);
    return block ?? blocks.read(key, () => readAlone(key, caller, asked));
  }

  const takeStale = (key: string, { size, code }: FirstTry): Block | undefined =>
    code === undefined ? stale?.take(key, size) : undefined;

  /** Of most small objects the size is known and there is room: one call, and one promise for it. */
  function readAlone(
    key: string,
    caller: Caller | undefined,
    known: FirstTry | undefined,
  ): Promise<Block> {
    const size = known === undefined ? sizes.get(key) : undefined;
    const block = size === undefined ? undefined : arena.tryAllocate(size, peerOf(caller));
    if (block === undefined) return readAsking(key, caller, known);
    sizedReads += 1;
    return calls.get(key, block).then(
      (code) => {
        if (code === 0) return block;
        block.release();
        if (code !== -1) throw problemOfCode('read', code);
        staleReads += 1;
        sizes.forget(key);
        return readAsking(key, caller, undefined);
      },
      (error: unknown) => {
        block.release();
        throw error;
      },
    );
  }

  async function readAsking(
    key: string,
    caller: Caller | undefined,
    known: FirstTry | undefined,
  ): Promise<Block> {
    const budgeted = withinBudget(calls, engine.deadlineMs);
    const block = await readObject({ calls: budgeted, arena, arenaWaitMs }, key, caller, known);
    sizes.learn(key, block.length);
    return block;
  }

  async function statOf(key: string) {
    const { code, info } = await calls.query(key);
    if (code !== 0) throw problemOfCode('stat', code);
    if (!info.valid) throw problemOfCode('stat', -3102);
    if (info.replicas.length === 0) throw problemOfCode('stat', -3007);
    sizes.learn(key, info.size);
    return info;
  }

  /** An object that is being written is there: a put of it would be refused. */
  async function existsOf(key: string) {
    const code = await calls.exist(key);
    if (code === 0 || code === -3007) return true;
    if (code === -3102) return false;
    throw problemOfCode('exists', code);
  }

  async function removeOf(key: string) {
    try {
      const code = await calls.remove(key);
      if (code !== 0) throw problemOfCode('remove', code);
    } finally {
      forget(key);
    }
  }

  async function writeOf(write: Write, firstCode: number | undefined) {
    const { key, bytes } = write;
    const budgeted = withinBudget(calls, engine.deadlineMs);
    try {
      const outcome = await writeObject(
        { calls: budgeted, unbounded: calls, poolBytes },
        write,
        firstCode,
      );
      if (outcome !== 'kept') sizes.learn(key, bytes);
      return outcome;
    } catch (error) {
      sizes.forget(key);
      throw error;
    } finally {
      stale?.forget(key);
    }
  }

  /** After a change, and after what may have been one. */
  function forget(key: string): void {
    sizes.forget(key);
    stale?.forget(key);
  }

  /**
   * The path of most reads of small objects: no promise, no allocation but the block's. What it has
   * learnt it hands on, so that no call is made twice before its answer is looked at.
   */
  function read(key: string, caller?: Caller): Block | Promise<Block> {
    if (sync === undefined) return slow.read(key, caller);
    const found = sync.query(key);
    if (found === undefined) return slow.read(key, caller);
    if (found !== 0) throw problemOfCode('read', found);
    const { valid, size } = sync.info;
    if (!valid) throw problemOfCode('read', -3102);
    if (size === 0) return emptyBlock;
    if (size > SYNC_COPY_BYTES) return slow.read(key, caller, { size });
    const block = arena.tryAllocate(size, peerOf(caller));
    if (block === undefined) return slow.read(key, caller, { size });
    let code: number | undefined;
    try {
      code = sync.get(key, block, size);
    } finally {
      if (code !== 0) block.release();
    }
    if (code === 0) return block;
    return slow.read(key, caller, code === undefined ? { size } : { size, code });
  }

  return {
    arena,
    poolBytes,
    reserve: (bytes, caller) =>
      arena.tryAllocate(bytes, peerOf(caller)) ??
      explained('write', waitForRoom(arena, bytes, arenaWaitMs, caller)),
    read,
    stat: slow.stat,
    exists: slow.exists,
    write: (key, block, bytes, options, ifExists) => {
      let code: number | undefined;
      // A put of what is there already copies nothing, however large.
      if (sync !== undefined && (bytes <= SYNC_COPY_BYTES || sync.exist(key) === 0)) {
        code = sync.put(key, block, bytes, options);
        if (code === 0) {
          stale?.forget(key);
          return 'created';
        }
      }
      return explained('write', writeOf({ key, block, bytes, options, ifExists }, code));
    },
    remove: (key) => {
      if (sync === undefined) return slow.remove(key);
      const code = sync.remove(key);
      if (code === undefined) return slow.remove(key);
      if (code !== 0) throw problemOfCode('remove', code);
      stale?.forget(key);
    },
    changed(key, bytes) {
      forget(key);
      if (bytes !== undefined) sizes.learn(key, bytes);
    },
    breakers: coalesced?.breakers ?? [],
    counts: () => ({
      ...(coalesced?.counts() ?? { keys: 0, calls: 0, waiting: 0 }),
      sharedReads: (flights?.joined ?? 0) + (stale?.taken ?? 0),
      sizedReads,
      staleReads,
      knownSizes: sizes.size,
    }),
  };
}

const explained = <T>(operation: StoreOperation, work: Promise<T>): Promise<T> =>
  work.catch((error: unknown) => {
    throw problemOfThrown(operation, error);
  });
