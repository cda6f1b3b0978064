import type { Link } from '../collections/linked-list.ts';
import { type CallLimit, fixedLimit } from './call-limit.ts';
import type { CallTrace } from './call-trace.ts';

/** A request to the engine, from its arrival until its result. */
export interface PendingCall extends Link<PendingCall> {
  /** Bytes that the engine copies for it. */
  readonly bytes: number;
  readonly reject: (error: Error) => void;
  /** Checked before the call is made: the reason why it is no longer needed, or undefined. */
  readonly abandoned?: (() => Error | undefined) | undefined;
  /** Set by the dispatcher: the time at which the request fails, whatever the engine does. */
  expiresAtMs: number;
  /** Set by the dispatcher when the request has its result or its error. */
  isSettled: boolean;
  /** Set by the dispatcher: the queue of the request, and the engine call that serves it. */
  queue: CallQueue | undefined;
  flight: Flight | undefined;
  /** Set by the dispatcher, if the request belongs to a trace. */
  trace: PendingTrace | undefined;
  /** For the trace: the operation, if the queue has several. */
  readonly operation?: string;
}

/** The trace to which a request belongs, and its times so far. */
export interface PendingTrace {
  readonly trace: CallTrace;
  readonly submittedMs: number;
  sentMs: number | undefined;
  /** Requests that its engine call serves. */
  requests: number;
}

/** The members that the dispatcher sets before a request is submitted. */
export const unsubmitted = {
  expiresAtMs: 0,
  isSettled: false,
  queue: undefined,
  flight: undefined,
  trace: undefined,
  previous: undefined,
  next: undefined,
};

/** An engine call in flight. */
export interface Flight {
  readonly queue: Quota;
  /** A request that it serves is past its deadline. */
  isLate: boolean;
  /** It does not count against any limit any more, so that another call can replace it. */
  isSubstituted: boolean;
}

/** The calls of one queue that count against its limit. */
export interface Quota {
  inFlight: number;
  late: number;
}

export interface CallQueueOptions<Call extends PendingCall> {
  /** For errors: the name of the engine operation. */
  readonly operation: string;
  /** Engine calls in flight that the queue may always have, within the slots. */
  readonly quota: number;
  /** Limit of engine calls in flight; the quota by default. */
  readonly limit?: CallLimit | undefined;
  /** Limit of requests in one engine call. */
  readonly maxRequests: number;
  /** Limit of bytes in one engine call; a single request may have more. */
  readonly maxBytes: number;
  /** Whether a request may share the call of another one; true by default. */
  readonly fits?: ((first: Call, other: Call) => boolean) | undefined;
  /** Makes one engine call for all requests. The promise settles when the engine returns, however late. */
  readonly send: Send<Call>;
}

/** Resolves with a function that gives each request its result: `index` is its position in the call. */
export type Send<Call extends PendingCall> = (
  calls: readonly Call[],
) => Promise<(call: Call, index: number) => void>;

/** A call that has not returned after this time may hang. Small calls take a few milliseconds. */
export const SUSPICIOUS_MS = 50;

/** The requests of one kind that wait for an engine call, in order of arrival. */
export class CallQueue<Call extends PendingCall = PendingCall> implements Quota {
  readonly operation: string;
  readonly limit: CallLimit;
  readonly send: Send<Call>;
  inFlight = 0;
  /** Calls in flight past their deadline. */
  late = 0;
  #lastCallMs = 0;
  readonly #options: CallQueueOptions<Call>;
  /** In order of arrival from `#head` on; those before it have been removed. */
  #waiting: Call[] = [];
  #head = 0;

  constructor(options: CallQueueOptions<Call>) {
    this.#options = options;
    this.operation = options.operation;
    this.limit = options.limit ?? fixedLimit(options.quota);
    this.send = options.send;
  }

  /** The most calls in flight, whatever hangs. */
  get maxInFlight(): number {
    return Math.max(this.#options.quota, this.limit.current);
  }

  /** Whether every call that the queue may make is late; new requests are then refused at once. */
  get isStuck(): boolean {
    return this.late >= this.maxInFlight;
  }

  /**
   * Whether the queue may make no other call now. A limit below the quota does not count calls that may
   * hang: otherwise a single one would block the queue until its deadline.
   */
  isFull(nowMs: number): boolean {
    if (this.inFlight >= this.maxInFlight) return true;
    if (this.inFlight - this.late < this.limit.current) return false;
    return nowMs - this.#lastCallMs < SUSPICIOUS_MS;
  }

  /** Whether the queue has all calls of its quota; more must leave a slot for each queue without a call. */
  get usesQuota(): boolean {
    return this.inFlight >= this.#options.quota;
  }

  /** Whether requests arriving together share calls. */
  get isShared(): boolean {
    return this.#options.maxRequests > 1;
  }

  get waiting(): number {
    return this.#waiting.length - this.#head;
  }

  /** The time at which the oldest waiting request fails. */
  get firstExpiryMs(): number {
    return this.#waiting[this.#head]?.expiresAtMs ?? Number.POSITIVE_INFINITY;
  }

  /** Counts an engine call from now on. */
  begin(nowMs: number): void {
    if (this.inFlight === 0) this.limit.onStart(nowMs);
    this.inFlight += 1;
    this.#lastCallMs = nowMs;
  }

  add(call: Call): void {
    this.#waiting.push(call);
  }

  /** Removes a request whose deadline is over. It is among the first, which have waited longest. */
  remove(call: Call): void {
    const at = this.#waiting.indexOf(call, this.#head);
    if (at === this.#head) this.#advance(at + 1);
    else if (at > 0) this.#waiting.splice(at, 1);
  }

  /** Removes all requests from the queue. */
  clear(): readonly Call[] {
    const waiting = this.#waiting.slice(this.#head);
    this.#advance(this.#waiting.length);
    return waiting;
  }

  /**
   * Removes the requests for the next engine call: the first one, and later ones that fit. The others keep
   * their order. `onAbandoned` gets the requests that are no longer needed. It looks at no more requests
   * than twice as many as one call may have, so that its cost does not grow with the queue.
   */
  nextBatch(onAbandoned: (call: Call, reason: Error) => void): Call[] {
    const batch: Call[] = [];
    const left: Call[] = [];
    const maxRequests = this.#share();
    const limit = Math.min(this.#waiting.length, this.#head + 2 * maxRequests);
    let bytes = 0;
    let end = this.#head;
    for (; end < limit && batch.length < maxRequests; end += 1) {
      const call = this.#waiting[end] as Call;
      if (call.isSettled) continue;
      if (!this.#fitsInto(batch, bytes, call)) {
        left.push(call);
        continue;
      }
      const reason = call.abandoned?.();
      if (reason !== undefined) {
        onAbandoned(call, reason);
        continue;
      }
      batch.push(call);
      bytes += call.bytes;
    }
    const head = end - left.length;
    for (const [at, call] of left.entries()) this.#waiting[head + at] = call;
    this.#advance(head);
    return batch;
  }

  /**
   * The most requests in the next call. Within its quota, the queue fills each call. If a larger limit
   * has proved to be faster, the engine works on calls in parallel, so it divides the requests among them.
   */
  #share(): number {
    const { maxRequests, quota } = this.#options;
    const { current } = this.limit;
    if (current <= quota) return maxRequests;
    const calls = Math.max(1, current - this.inFlight + this.late);
    return Math.min(maxRequests, Math.ceil(this.waiting / calls));
  }

  /** The array is shortened when half of it is removed requests, so each request is copied about once. */
  #advance(head: number): void {
    const isMostlyRemoved = 2 * head >= this.#waiting.length;
    if (isMostlyRemoved) this.#waiting = this.#waiting.slice(head);
    this.#head = isMostlyRemoved ? 0 : head;
  }

  #fitsInto(batch: readonly Call[], bytes: number, call: Call): boolean {
    const [first] = batch;
    if (first === undefined) return true;
    const { maxBytes, fits } = this.#options;
    if (bytes + call.bytes > maxBytes) return false;
    return fits?.(first, call) !== false;
  }
}
