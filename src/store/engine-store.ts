import type { Block, EngineClient } from '../native/types.ts';
import { engineCalls, SYNC_COPY_BYTES } from './engine-calls.ts';
import { problemOfCode, problemOfThrown, type StoreOperation } from './engine-problem.ts';
import type { ObjectStore } from './object-store.ts';
import { readObject } from './read-object.ts';
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
  const slow = {
    read: (key: string) => explained('read', readObject(calls, arena, settings.arenaWaitMs, key)),
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

  /** The path of most reads of small objects: no promise, no allocation but the block's. */
  function readNow(key: string): Block | undefined {
    if (sync === undefined || sync.query(key) !== 0) return undefined;
    const { valid, size } = sync.info;
    if (!valid) throw problemOfCode('read', -3102);
    if (size === 0 || size > SYNC_COPY_BYTES) return undefined;
    const block = arena.tryAllocate(size);
    if (block === undefined) return undefined;
    let read = false;
    try {
      read = sync.get(key, block, size) === 0;
    } finally {
      if (!read) block.release();
    }
    return read ? block : undefined;
  }

  return {
    arena,
    poolBytes: settings.poolBytes,
    reserve: (bytes) =>
      arena.tryAllocate(bytes) ??
      explained('write', arena.allocate(bytes, { deadlineMs: settings.arenaWaitMs })),
    read: (key) => readNow(key) ?? slow.read(key),
    stat: slow.stat,
    exists: slow.exists,
    write: (key, block, bytes, options, ifExists) => {
      if (sync !== undefined && bytes <= SYNC_COPY_BYTES) {
        if (sync.put(key, block, bytes, options) === 0) return 'created';
      }
      const context = { calls, poolBytes: settings.poolBytes };
      return explained('write', writeObject(context, { key, block, bytes, options, ifExists }));
    },
    remove: (key) => {
      if (sync !== undefined && sync.remove(key) === 0) return;
      return slow.remove(key);
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
