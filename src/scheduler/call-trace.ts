/** What the scheduler tells about engine calls, when a program records traces. */

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
}

export interface CallTracer {
  /** The request that runs now; undefined for calls of the gateway itself. */
  current(): CallTrace | undefined;
}
