/**
 * The engine calls and the waits of an HTTP request, for those who want to know: a span of OpenTelemetry, the
 * header Server-Timing. The calls find their request in the asynchronous context, so no function between HTTP
 * and the engine has a parameter for it.
 */
import { AsyncLocalStorage } from 'node:async_hooks';

/** A request for an engine call, from its arrival until its result. Times are from performance.now(). */
export interface TracedCall {
  readonly operation: string;
  readonly submittedMs: number;
  /** When the engine call began; undefined if the request failed before. */
  readonly sentMs: number | undefined;
  readonly endedMs: number;
  /** Requests that the engine call served. */
  readonly requests: number;
  readonly error?: Error | undefined;
}

/** The HTTP request for which an engine call is made. */
export interface CallTrace {
  ended(call: TracedCall): void;
  /** The request has waited for memory of the arena. */
  waited(durationMs: number): void;
}

const storage = new AsyncLocalStorage<CallTrace>();
let open = 0;

/** Nothing is measured before the first call, nor after as many `end` as calls. */
export function beginTracing(): void {
  open += 1;
}

/** Without `disable`, Node 20 and 22 would observe every later promise of the process. */
export function endTracing(): void {
  open -= 1;
  if (open === 0) storage.disable();
}

/** Whether any request may be traced: the only cost for those that are not. */
export const isTracing = (): boolean => open > 0;

/** The trace of the request that runs now; undefined for calls of the gateway itself. */
export const currentTrace = (): CallTrace | undefined =>
  open === 0 ? undefined : storage.getStore();

/** Runs `work`; engine calls and waits that it causes belong to the trace. */
export const runTraced = (trace: CallTrace, work: () => void): void => storage.run(trace, work);

/** One trace for both, where there are two. */
export function bothTraces(
  first: CallTrace | undefined,
  second: CallTrace | undefined,
): CallTrace | undefined {
  if (first === undefined || second === undefined) return first ?? second;
  return {
    ended(call) {
      first.ended(call);
      second.ended(call);
    },
    waited(durationMs) {
      first.waited(durationMs);
      second.waited(durationMs);
    },
  };
}
