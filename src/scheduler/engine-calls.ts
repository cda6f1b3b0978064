import { MMC_UNMATCHED_KEY } from '../errors/engine-codes.ts';
import { EngineDeadlineError } from '../native/abi/errors.ts';
import type { Arena, Block, DataInfo, PutOptions, SyncCalls } from '../native/abi/types.ts';
import type { BatchCalls } from './batch-calls.ts';

/** Larger values are not copied on the JavaScript thread, because they would delay other requests. */
export const SYNC_COPY_BYTES = 128 * 1024;

/** The engine's information about one key; the code of a missing one is −3102. */
export interface KeyInfo {
  readonly code: number;
  readonly info: DataInfo;
}

/** Operations on one key; each resolves with the engine's code. */
export interface EngineCalls {
  query(key: string): Promise<KeyInfo>;
  /** Reads an object of exactly the block's length. */
  get(key: string, block: Block): Promise<number>;
  /** Stores the first `bytes` of the block. */
  put(key: string, block: Block, bytes: number, options: PutOptions): Promise<number>;
  exist(key: string): Promise<number>;
  remove(key: string): Promise<number>;
}

/**
 * The same calls, made on the JavaScript thread if the engine allows that, the copy is small, and no
 * other process holds a required lock. With one interface, the code that explains and retries exists
 * once.
 */
export function callsOnThread(calls: EngineCalls, sync: SyncCalls): EngineCalls {
  return {
    query: (key) => {
      const code = sync.queryFull(key);
      if (code === undefined) return calls.query(key);
      const { valid, size, replicas } = sync.info;
      return Promise.resolve({
        code: code === 0 && !valid ? MMC_UNMATCHED_KEY : code,
        info: { valid, size, replicas: [...replicas] },
      });
    },
    get: async (key, block) => {
      const isSmall = block.length <= SYNC_COPY_BYTES;
      const code = isSmall ? sync.get(key, block, block.length) : undefined;
      return code ?? calls.get(key, block);
    },
    put: async (key, block, bytes, options) => {
      const code = bytes <= SYNC_COPY_BYTES ? sync.put(key, block, bytes, options) : undefined;
      return code ?? calls.put(key, block, bytes, options);
    },
    exist: async (key) => sync.exist(key) ?? calls.exist(key),
    remove: async (key) => sync.remove(key) ?? calls.remove(key),
  };
}

/**
 * Calls for one key, as calls for many: each takes exactly one key. A request for one object then runs
 * the same code as a batch. `replace` stores with `last`, which must make its call whatever the calls
 * before have taken.
 */
export function callsForOne(arena: Arena, calls: EngineCalls, last = calls): BatchCalls {
  const code = async (call: Promise<number>) => Int32Array.of(await call);
  return {
    arena,
    query: async ([key]) => {
      const { code, info } = await calls.query(key as string);
      return { codes: Int32Array.of(code), infos: [info] };
    },
    exist: ([key]) => code(calls.exist(key as string)),
    remove: ([key]) => code(calls.remove(key as string)),
    get: ([key], [block]) => code(calls.get(key as string, block as Block)),
    put: ([key], [block], options) => code(put(calls, key as string, block as Block, options)),
    replace: async ([key], [block], options) => {
      const removed = await calls.remove(key as string);
      const isGone = removed === 0 || removed === MMC_UNMATCHED_KEY;
      const stored = isGone ? [await put(last, key as string, block as Block, options)] : [];
      return { removed: Int32Array.of(removed), stored: Int32Array.from(stored) };
    },
  };
}

const put = (calls: EngineCalls, key: string, block: Block, options: PutOptions) =>
  calls.put(key, block, block.length, options);

/**
 * The same calls for one request. Each has the engine's deadline; once they have taken as long
 * together, no other begins, so that a request that needs many ends in twice that time.
 */
export function withinBudget(calls: EngineCalls, budgetMs: number): EngineCalls {
  let spentMs = 0;
  const timed = async <T>(operation: string, call: () => Promise<T>): Promise<T> => {
    if (spentMs >= budgetMs) throw new EngineDeadlineError(operation, budgetMs);
    const since = performance.now();
    try {
      return await call();
    } finally {
      spentMs += performance.now() - since;
    }
  };
  return {
    query: (key) => timed('query', () => calls.query(key)),
    get: (key, block) => timed('get', () => calls.get(key, block)),
    put: (key, block, bytes, options) => timed('put', () => calls.put(key, block, bytes, options)),
    exist: (key) => timed('exist', () => calls.exist(key)),
    remove: (key) => timed('remove', () => calls.remove(key)),
  };
}
