import type { PendingCall } from './call-queue.ts';
import { currentTrace } from './call-trace.ts';

/** The request that submits a call is the one that runs now. */
export function beginTrace(call: PendingCall, submittedMs: number): void {
  const trace = currentTrace();
  if (trace !== undefined) call.trace = { trace, submittedMs, sentMs: undefined, requests: 0 };
}

export function markSent(calls: readonly PendingCall[]): void {
  const sentMs = performance.now();
  for (const { trace } of calls) {
    if (trace === undefined) continue;
    trace.sentMs = sentMs;
    trace.requests = calls.length;
  }
}

export function endTrace({ trace, queue, operation }: PendingCall, error?: Error): void {
  if (trace === undefined) return;
  const { submittedMs, sentMs, requests } = trace;
  trace.trace.ended({
    operation: operation ?? queue?.operation ?? 'call',
    ...{ submittedMs, sentMs, endedMs: performance.now(), requests, error },
  });
}
