import type { CallLimit } from '../../../src/scheduler/call-limit.ts';
import { CallQueue, type PendingCall, unsubmitted } from '../../../src/scheduler/call-queue.ts';

/** How an engine spends time on calls, in milliseconds. */
export interface EngineModel {
  /** Calls that it works on at once; others wait inside it. */
  readonly lanes: number;
  readonly perCallMs: number;
  readonly perKeyMs: number;
  /** Added to the call with this number, from 1; 0 by default. */
  readonly extraMs?: (call: number) => number;
}

export const oneLock: EngineModel = { lanes: 1, perCallMs: 2, perKeyMs: 0.03 };
export const eightLanes: EngineModel = { lanes: 8, perCallMs: 2, perKeyMs: 0.03 };

/** Time of the JavaScript thread for each request. */
const THREAD_MS = 0.01;

/**
 * Clients that each send a request, wait for its response and send the next, on a real queue in front of
 * a modelled engine, in virtual time. No wall clock and no chance: the same run gives the same numbers.
 */
export class ModelledRun<Limit extends CallLimit = CallLimit> {
  engine: EngineModel;
  nowMs = 0;
  served = 0;
  readonly limit: Limit;
  readonly #queue: CallQueue;
  readonly #events: { readonly atMs: number; readonly run: () => void }[] = [];
  readonly #laneFreeMs: number[] = [];
  #threadFreeMs = 0;
  #calls = 0;
  #random = 1;

  readonly #turn: number;

  /** @param turn requests that arrive in one turn of the event loop. */
  constructor(engine: EngineModel, limit: Limit, clients: number, turn = 8) {
    this.engine = engine;
    this.#turn = turn;
    this.limit = limit;
    this.#queue = new CallQueue({
      ...{ operation: 'get', quota: 2, limit, maxRequests: 512, maxBytes: 1 },
      send: () => Promise.reject(new Error('the run makes the calls')),
    });
    this.#arrive(clients);
  }

  /** Runs for a time; returns the requests served per millisecond. */
  run(ms: number): number {
    const endMs = this.nowMs + ms;
    const before = this.served;
    for (let next = this.#events[0]; next !== undefined && next.atMs <= endMs; ) {
      this.#events.shift();
      this.nowMs = next.atMs;
      next.run();
      next = this.#events[0];
    }
    this.nowMs = endMs;
    return (this.served - before) / ms;
  }

  #at(atMs: number, run: () => void): void {
    let place = this.#events.length;
    while (place > 0 && (this.#events[place - 1]?.atMs ?? 0) > atMs) place -= 1;
    this.#events.splice(place, 0, { atMs, run });
  }

  /** The requests of several clients, one turn of the event loop after the other. */
  #arrive(requests: number): void {
    for (let left = requests; left > 0; left -= this.#turn) {
      const together = Math.min(left, this.#turn);
      this.#threadFreeMs = Math.max(this.#threadFreeMs, this.nowMs) + together * THREAD_MS;
      this.#at(this.#threadFreeMs, () => {
        for (let i = 0; i < together; i++) this.#queue.add(request());
        this.#send();
      });
    }
  }

  #send(): void {
    while (this.#queue.waiting > 0 && !this.#queue.isFull(this.nowMs)) {
      const requests = this.#queue.nextBatch(() => undefined).length;
      this.#queue.begin(this.nowMs);
      this.#at(this.#endOfCall(requests), () => this.#return(requests));
    }
  }

  #endOfCall(requests: number): number {
    const { lanes, perCallMs, perKeyMs, extraMs } = this.engine;
    this.#laneFreeMs.length = lanes;
    let lane = 0;
    for (let i = 0; i < lanes; i++) {
      if ((this.#laneFreeMs[i] ?? 0) < (this.#laneFreeMs[lane] ?? 0)) lane = i;
    }
    this.#calls += 1;
    const workMs = this.#jitter() * (perCallMs + requests * perKeyMs);
    const beginMs = Math.max(this.nowMs, this.#laneFreeMs[lane] ?? 0);
    const endMs = beginMs + workMs + (extraMs?.(this.#calls) ?? 0);
    this.#laneFreeMs[lane] = endMs;
    return endMs;
  }

  #return(requests: number): void {
    this.limit.onReturn(requests, this.#queue.inFlight, this.nowMs);
    this.#queue.inFlight -= 1;
    this.served += requests;
    this.#send();
    this.#arrive(requests);
  }

  /** From 0.8 to 1.2, from a fixed sequence. */
  #jitter(): number {
    this.#random = (this.#random * 48_271) % 2_147_483_647;
    return 0.8 + (0.4 * this.#random) / 2_147_483_647;
  }
}

const request = (): PendingCall => ({ bytes: 0, reject: () => undefined, ...unsubmitted });
