import { EngineClosedError, EngineDeadlineError, EngineStuckError } from '../native/abi/errors.ts';
import { type CallQueue, type Flight, type PendingCall, SUSPICIOUS_MS } from './call-queue.ts';
import { beginTrace, endTrace, markSent } from './call-times.ts';
import { isTracing } from './call-trace.ts';
import { OpenRequests } from './open-requests.ts';

export interface DispatcherOptions {
  /** Limit of engine calls in flight. */
  readonly slots: number;
  /** Calls that may be made to replace late ones. */
  readonly substitutes: number;
  /** Limit for each request in milliseconds, including its wait. */
  readonly deadlineMs: number;
}

export interface CallCounts {
  readonly slots: number;
  /** Calls from which the engine has not returned. */
  readonly inFlight: number;
  /** The calls in flight that are past their deadline. */
  readonly late: number;
  /** Requests that wait for a call. */
  readonly queued: number;
}

/**
 * Sends the requests of all queues to the engine. It has the only limit of calls in flight and the only
 * deadline: a request fails with EngineDeadlineError `deadlineMs` after its arrival, whether it waits or
 * is being served. An engine call cannot be cancelled, so it keeps its slot and its memory until the
 * engine returns.
 *
 * Requests that arrive in one turn of the event loop, or while all calls of their queue are in flight,
 * share the next call. There is no timer: a single request is sent at the end of its turn.
 *
 * When every call that a queue may make is late, the queue is stuck and refuses requests with
 * EngineStuckError until a call returns or is replaced. When every slot is late, all queues are stuck.
 */
export class Dispatcher {
  readonly deadlineMs: number;
  readonly #slots: number;
  readonly #substitutes: number;
  readonly #queues: CallQueue[] = [];
  readonly #open: OpenRequests;
  readonly #lateFlights = new Set<Flight>();
  /** The time of the last arrival or return. */
  #nowMs = 0;
  #inFlight = 0;
  #substituted = 0;
  #isFlushScheduled = false;
  #suspicion: NodeJS.Timeout | undefined;
  #isClosed = false;
  #onIdle: (() => void) | undefined;

  constructor({ slots, substitutes, deadlineMs }: DispatcherOptions) {
    this.#slots = slots;
    this.#substitutes = substitutes;
    this.deadlineMs = deadlineMs;
    this.#open = new OpenRequests({ deadlineMs, onExpired: (call) => this.#expire(call) });
  }

  register<Call extends PendingCall>(queue: CallQueue<Call>): CallQueue<Call> {
    this.#queues.push(queue as unknown as CallQueue);
    return queue;
  }

  /** Whether late calls hold every slot. */
  get isStuck(): boolean {
    return this.#lateFlights.size >= this.#slots;
  }

  get isIdle(): boolean {
    return this.#inFlight + this.#substituted === 0 && this.#open.size === 0;
  }

  counts(): CallCounts {
    return {
      slots: this.#slots,
      inFlight: this.#inFlight + this.#substituted,
      late: this.#lateFlights.size + this.#substituted,
      queued: this.#queues.reduce((sum, { waiting }) => sum + waiting, 0),
    };
  }

  /** Whether a request that arrives now waits until a call returns. */
  mustWait(queue: Pick<CallQueue, 'isFull' | 'usesQuota'>): boolean {
    const free = this.#slots - this.#inFlight;
    if (free <= 0 || queue.isFull(this.#nowMs)) return true;
    if (!queue.usesQuota) return false;
    return free <= this.#queues.reduce((idle, { inFlight }) => idle + Number(inFlight === 0), 0);
  }

  /** Queues a request; every error, including a refusal, goes to its `reject`. */
  submit<Call extends PendingCall>(to: CallQueue<Call>, call: Call): void {
    const queue = to as unknown as CallQueue;
    const refusal = this.#refusal(queue);
    if (refusal !== undefined) {
      call.reject(refusal);
      return;
    }
    this.#nowMs = performance.now();
    call.queue = queue;
    if (isTracing()) beginTrace(call, this.#nowMs);
    this.#open.add(call, this.#nowMs);
    queue.add(call);
    if (this.mustWait(queue)) {
      if (!queue.usesQuota) this.#flushWhenSuspicious();
      return;
    }
    if (queue.isShared) this.#scheduleFlush();
    else this.#sendNext(queue);
  }

  /**
   * Allows one more call to replace a late one, of the given queue or of any. False if there is no late
   * call, or if the engine must not get more calls.
   */
  substitute(queue?: CallQueue): boolean {
    if (this.#substituted >= this.#substitutes) return false;
    for (const flight of this.#lateFlights) {
      if (queue !== undefined && flight.queue !== queue) continue;
      flight.isSubstituted = true;
      this.#stopCounting(flight);
      this.#substituted += 1;
      this.#flush();
      return true;
    }
    return false;
  }

  /** Refuses new requests. Resolves true when none is open, false if `deadlineMs` is over first. */
  close(deadlineMs: number): Promise<boolean> {
    this.#isClosed = true;
    if (this.isIdle) return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#onIdle = undefined;
        for (const queue of this.#queues) {
          this.#fail(queue.clear(), new EngineClosedError(queue.operation));
        }
        resolve(false);
      }, deadlineMs);
      this.#onIdle = () => {
        clearTimeout(timer);
        resolve(true);
      };
    });
  }

  #refusal(queue: CallQueue): Error | undefined {
    if (this.#isClosed) return new EngineClosedError(queue.operation);
    return this.isStuck || queue.isStuck ? this.#stuckError(queue) : undefined;
  }

  #stuckError(queue: CallQueue): EngineStuckError {
    return new EngineStuckError(queue.operation, this.isStuck ? this.#slots : queue.maxInFlight);
  }

  #scheduleFlush(): void {
    if (this.#isFlushScheduled) return;
    this.#isFlushScheduled = true;
    setImmediate(() => {
      this.#isFlushScheduled = false;
      this.#flush();
    });
  }

  /** Sends calls as long as there is a free slot. */
  #flush(): void {
    while (this.#inFlight < this.#slots) {
      const queue = this.#nextQueue();
      if (queue === undefined) break;
      this.#sendNext(queue);
    }
    const isHeld = this.#queues.some((queue) => queue.waiting > 0 && !queue.usesQuota);
    if (isHeld) this.#flushWhenSuspicious();
  }

  /** A call that hangs must not hold up requests that the quota of their queue permits (`isFull`). */
  #flushWhenSuspicious(): void {
    this.#suspicion ??= setTimeout(() => {
      this.#suspicion = undefined;
      this.#nowMs = performance.now();
      this.#flush();
    }, SUSPICIOUS_MS + 1).unref();
  }

  /** The queue with the oldest first request, among those that may make another call. */
  #nextQueue(): CallQueue | undefined {
    let next: CallQueue | undefined;
    for (const queue of this.#queues) {
      if (queue.waiting === 0 || this.mustWait(queue)) continue;
      if (next === undefined || queue.firstExpiryMs < next.firstExpiryMs) next = queue;
    }
    return next;
  }

  #sendNext(queue: CallQueue): void {
    const calls = queue.nextBatch((call, reason) => this.#fail([call], reason));
    if (calls.length === 0) return;
    const flight: Flight = { queue, isLate: false, isSubstituted: false };
    for (const call of calls) call.flight = flight;
    if (isTracing()) markSent(calls);
    queue.begin(this.#nowMs);
    this.#inFlight += 1;
    queue.send(calls).then(
      (deliver) => {
        this.#nowMs = performance.now();
        if (!flight.isLate) queue.limit.onReturn(calls.length, queue.inFlight, this.#nowMs);
        this.#land(flight);
        for (const [index, call] of calls.entries()) if (this.#settle(call)) deliver(call, index);
        this.#flush();
        this.#checkIdle();
      },
      (error: unknown) => {
        this.#land(flight);
        this.#fail(calls, error as Error);
        this.#flush();
      },
    );
  }

  /** The slot is released before the requests get their results, so that the next request finds it free. */
  #land(flight: Flight): void {
    if (flight.isSubstituted) this.#substituted -= 1;
    else this.#stopCounting(flight);
  }

  #stopCounting(flight: Flight): void {
    flight.queue.inFlight -= 1;
    this.#inFlight -= 1;
    if (this.#lateFlights.delete(flight)) flight.queue.late -= 1;
  }

  #fail(calls: readonly PendingCall[], error: Error): void {
    for (const call of calls) if (this.#settle(call, error)) call.reject(error);
    this.#checkIdle();
  }

  /** False if the request already has its result or its error. */
  #settle(call: PendingCall, error?: Error): boolean {
    if (call.isSettled) return false;
    call.isSettled = true;
    if (call.trace !== undefined) endTrace(call, error);
    this.#open.remove(call);
    return true;
  }

  #checkIdle(): void {
    if (this.isIdle) this.#onIdle?.();
  }

  #expire(call: PendingCall): void {
    const queue = call.queue as CallQueue;
    this.#fail([call], new EngineDeadlineError(queue.operation, this.deadlineMs));
    if (call.flight === undefined) queue.remove(call);
    else this.#markLate(call.flight, queue);
  }

  #markLate(flight: Flight, queue: CallQueue): void {
    if (flight.isLate) return;
    flight.isLate = true;
    this.#lateFlights.add(flight);
    queue.late += 1;
    this.#scheduleFlush();
    const stuck = this.isStuck ? this.#queues : queue.isStuck ? [queue] : [];
    for (const each of stuck) this.#fail(each.clear(), this.#stuckError(each));
  }
}
