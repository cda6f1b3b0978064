import { EngineDeadlineError } from '../native/errors.ts';
import type { Block, DataInfo, EngineClient, PutOptions } from '../native/types.ts';

/** Values up to this size are copied on the JavaScript thread; a larger copy would hold up other requests. */
export const SYNC_COPY_BYTES = 128 * 1024;

/**
 * The engine's single operations, on this thread where the engine allows it, the copy is small and no
 * other process holds a lock that is needed, else on the pool's threads; so that the paths that explain and retry are written once.
 */
export interface EngineCalls {
  query(key: string): Promise<{ code: number; info: DataInfo }>;
  get(key: string, block: Block): Promise<number>;
  put(key: string, block: Block, bytes: number, options: PutOptions): Promise<number>;
  exist(key: string): Promise<number>;
  remove(key: string): Promise<number>;
}

export function engineCalls(engine: EngineClient): EngineCalls {
  const { sync } = engine;
  if (sync === undefined) {
    return {
      query: (key) => engine.query(key),
      get: async (key, block) => (await engine.get(key, block, block.length)).code,
      put: (key, block, bytes, options) => engine.put(key, block, bytes, options),
      exist: (key) => engine.exist(key),
      remove: (key) => engine.remove(key),
    };
  }
  return {
    query: (key) => {
      const code = sync.queryFull(key);
      if (code === undefined) return engine.query(key);
      const { valid, size, replicas } = sync.info;
      return Promise.resolve({ code, info: { valid, size, replicas: [...replicas] } });
    },
    get: async (key, block) => {
      const isSmall = block.length <= SYNC_COPY_BYTES;
      const code = isSmall ? sync.get(key, block, block.length) : undefined;
      return code ?? (await engine.get(key, block, block.length)).code;
    },
    put: async (key, block, bytes, options) => {
      const code = bytes <= SYNC_COPY_BYTES ? sync.put(key, block, bytes, options) : undefined;
      return code ?? engine.put(key, block, bytes, options);
    },
    exist: async (key) => sync.exist(key) ?? engine.exist(key),
    remove: async (key) => sync.remove(key) ?? engine.remove(key),
  };
}

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
