import type { Block, EngineClient } from '../native/types.ts';
import { type Caller, waitForRoom } from './arena-room.ts';
import { emptyBlock } from './empty-block.ts';
import { engineCalls, SYNC_COPY_BYTES, withinBudget } from './engine-calls.ts';
import { problemOfCode, problemOfThrown, type StoreOperation } from './engine-problem.ts';
import type { ObjectStore } from './object-store.ts';
import { type FirstTry, readObject } from './read-object.ts';
import { writeObject } from './write-object.ts';

export interface StoreSettings {
  /** Longest wait for room in the arena, in milliseconds. */
  readonly arenaWaitMs: number;
  readonly poolBytes: number | undefined;
}

/** The object store over one engine client. */
export function engineStore(engine: EngineClient, settings: StoreSettings): ObjectStore {
  const { arena, sync } = engine;
  const calls = engineCalls(engine);
  const { arenaWaitMs, poolBytes } = settings;
  const slow = {
    read: (key: string, caller: Caller | undefined, known?: FirstTry) => {
      const context = { calls: withinBudget(calls, engine.deadlineMs), arena, arenaWaitMs };
      return explained('read', readObject(context, key, caller, known));
    },
    stat: (key: string) => explained('stat', statOf(key)),
    exists: (key: string) => explained('exists', existsOf(key)),
    remove: (key: string) => explained('remove', removeOf(key)),
  };

  async function statOf(key: string) {
    const { code, info } = await calls.query(key);
    if (code !== 0) throw problemOfCode('stat', code);
    if (!info.valid) throw problemOfCode('stat', -3102);
    if (info.replicas.length === 0) throw problemOfCode('stat', -3007);
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
    const code = await calls.remove(key);
    if (code !== 0) throw problemOfCode('remove', code);
  }

  /**
   * The path of most reads of small objects: no promise, no allocation but the block's. What it has
   * learnt it hands on, so that no call is made twice before its answer is looked at.
   */
  function read(key: string, caller?: Caller): Block | Promise<Block> {
    if (sync === undefined) return slow.read(key, caller);
    const found = sync.query(key);
    if (found !== 0) throw problemOfCode('read', found);
    const { valid, size } = sync.info;
    if (!valid) throw problemOfCode('read', -3102);
    if (size === 0) return emptyBlock;
    if (size > SYNC_COPY_BYTES) return slow.read(key, caller, { size });
    const block = arena.tryAllocate(size);
    if (block === undefined) return slow.read(key, caller, { size });
    let code: number | undefined;
    try {
      code = sync.get(key, block, size);
    } finally {
      if (code !== 0) block.release();
    }
    return code === 0 ? block : slow.read(key, caller, { size, code });
  }

  return {
    arena,
    poolBytes,
    reserve: (bytes, caller) =>
      arena.tryAllocate(bytes) ??
      explained('write', waitForRoom(arena, bytes, arenaWaitMs, caller)),
    read,
    stat: slow.stat,
    exists: slow.exists,
    write: (key, block, bytes, options, ifExists) => {
      let code: number | undefined;
      // A put of what is there already copies nothing, however large.
      if (sync !== undefined && (bytes <= SYNC_COPY_BYTES || sync.exist(key) === 0)) {
        code = sync.put(key, block, bytes, options);
        if (code === 0) return 'created';
      }
      const write = { key, block, bytes, options, ifExists };
      const context = {
        calls: withinBudget(calls, engine.deadlineMs),
        unbounded: calls,
        poolBytes,
      };
      return explained('write', writeObject(context, write, code));
    },
    remove: (key) => {
      if (sync === undefined) return slow.remove(key);
      const code = sync.remove(key);
      if (code !== 0) throw problemOfCode('remove', code);
    },
  };
}

async function explained<T>(operation: StoreOperation, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw problemOfThrown(operation, error);
  }
}
