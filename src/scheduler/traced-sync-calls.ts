import type { SyncCalls } from '../native/abi/types.ts';
import { type CallTrace, currentTrace } from './call-trace.ts';

/** The same calls on the JavaScript thread, each recorded in the trace of its request. They never wait. */
export function tracedSyncCalls(sync: SyncCalls): SyncCalls {
  return {
    get info() {
      return sync.info;
    },
    query(key) {
      const trace = currentTrace();
      return trace === undefined ? sync.query(key) : timed(trace, 'query', () => sync.query(key));
    },
    queryFull(key) {
      const trace = currentTrace();
      if (trace === undefined) return sync.queryFull(key);
      return timed(trace, 'query', () => sync.queryFull(key));
    },
    get(key, block, length) {
      const trace = currentTrace();
      if (trace === undefined) return sync.get(key, block, length);
      return timed(trace, 'get', () => sync.get(key, block, length));
    },
    put(key, block, length, options) {
      const trace = currentTrace();
      if (trace === undefined) return sync.put(key, block, length, options);
      return timed(trace, 'put', () => sync.put(key, block, length, options));
    },
    exist(key) {
      const trace = currentTrace();
      return trace === undefined ? sync.exist(key) : timed(trace, 'exist', () => sync.exist(key));
    },
    remove(key) {
      const trace = currentTrace();
      if (trace === undefined) return sync.remove(key);
      return timed(trace, 'remove', () => sync.remove(key));
    },
  };
}

function timed(
  trace: CallTrace,
  operation: string,
  call: () => number | undefined,
): number | undefined {
  const submittedMs = performance.now();
  const code = call();
  // Without a code the engine has done nothing, and the scheduler makes the call.
  if (code !== undefined) {
    const times = { submittedMs, sentMs: submittedMs, endedMs: performance.now() };
    trace.ended({ operation, ...times, requests: 1 });
  }
  return code;
}
