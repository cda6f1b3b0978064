import type { SyncCalls } from '../native/abi/types.ts';
import type { CallTracer } from './call-trace.ts';

/** The same calls on the JavaScript thread, each recorded in the trace of its request. They never wait. */
export function tracedSyncCalls(sync: SyncCalls, tracer: CallTracer): SyncCalls {
  const timed = (operation: string, call: () => number | undefined): number | undefined => {
    const submittedMs = performance.now();
    const code = call();
    // Without a code the engine has done nothing, and the scheduler makes the call.
    if (code !== undefined) {
      const times = { submittedMs, sentMs: submittedMs, endedMs: performance.now() };
      tracer.current()?.ended({ operation, ...times, requests: 1 });
    }
    return code;
  };
  return {
    get info() {
      return sync.info;
    },
    query: (key) => timed('query', () => sync.query(key)),
    queryFull: (key) => timed('query', () => sync.queryFull(key)),
    get: (key, block, length) => timed('get', () => sync.get(key, block, length)),
    put: (key, block, length, options) => timed('put', () => sync.put(key, block, length, options)),
    exist: (key) => timed('exist', () => sync.exist(key)),
    remove: (key) => timed('remove', () => sync.remove(key)),
  };
}
