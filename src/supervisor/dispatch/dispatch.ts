import type { Socket } from 'node:net';
import type { FallbackServer } from '../fallback-server.ts';
import { type AcceptQueue, createAcceptQueue, maxQueueLength } from './accept-queue.ts';
import { createRoundRobin, type RoundRobin } from './round-robin.ts';

/** A worker of the pool; `handoff` returns false when it accepts no connection now. */
interface PoolWorker {
  /** Whether it takes connections, however busy, and responds. */
  readonly serving: boolean;
  /** Whether its engine calls hang. */
  readonly degraded: boolean;
  handoff(socket: Socket): boolean;
}

/** No event reports the end of the wait for a worker, so the queue is polled. */
const pollMs = 100;

export interface DispatchOptions {
  readonly workers: readonly PoolWorker[];
  readonly fallback: () => Promise<Pick<FallbackServer, 'accept'>>;
  /** How long a connection waits for a worker that serves. */
  readonly maxWaitMs: number;
}

/**
 * Chooses the server of a connection: the ready workers in turn; without one, the degraded workers, which refuse
 * requests at once; while all of them are busy, the queue; without a worker, the fallback server.
 */
export class Dispatch {
  readonly #workers: readonly PoolWorker[];
  readonly #fallback: DispatchOptions['fallback'];
  readonly #queue: AcceptQueue;
  readonly #roundRobin: RoundRobin<Socket>;
  #poll: NodeJS.Timeout | undefined;
  #fallbackConnections = 0;
  #isHeld = false;

  constructor({ workers, fallback, maxWaitMs }: DispatchOptions) {
    this.#workers = workers;
    this.#fallback = fallback;
    this.#queue = createAcceptQueue({
      maxConnections: maxQueueLength(),
      maxWaitMs,
      onTimeout: (socket) => this.#fallBack(socket),
    });
    const isEligible = (worker: PoolWorker): boolean => !(worker.degraded && this.#anyHealthy());
    this.#roundRobin = createRoundRobin(
      workers.map((worker) => ({
        get serving() {
          return worker.serving && isEligible(worker);
        },
        handoff: (socket: Socket) => isEligible(worker) && worker.handoff(socket),
      })),
    );
  }

  /** Whether any worker takes connections and responds. */
  get serving(): boolean {
    return this.#workers.some((worker) => worker.serving);
  }

  get waitingConnections(): number {
    return this.#queue.length;
  }

  get fallbackConnections(): number {
    return this.#fallbackConnections;
  }

  /** Passes a paused connection on. */
  accept(socket: Socket): void {
    if (!this.#isHeld && this.#queue.length === 0 && this.#handoff(socket)) return;
    const mayWait = this.#isHeld || this.serving;
    if (!mayWait || !this.#queue.join(socket)) this.#fallBack(socket);
  }

  /** All connections wait from now on, until `release`. */
  hold(): void {
    this.#isHeld = true;
  }

  release(): void {
    this.#isHeld = false;
    this.serveQueue();
  }

  /** Call this when a worker may take a connection again, or has stopped taking connections. */
  serveQueue(): void {
    clearTimeout(this.#poll);
    this.#poll = undefined;
    if (this.#isHeld) return;
    this.#queue.serve((socket) => {
      if (this.#handoff(socket)) return true;
      if (this.serving) return false;
      // A worker may take long to start: clients get a 503 at once.
      this.#fallBack(socket);
      return true;
    });
  }

  #anyHealthy(): boolean {
    return this.#workers.some((worker) => worker.serving && !worker.degraded);
  }

  #handoff(socket: Socket): boolean {
    const outcome = this.#roundRobin.give(socket);
    if (outcome === 'wait') this.#poll ??= setTimeout(() => this.serveQueue(), pollMs).unref();
    return outcome === 'given';
  }

  #fallBack(socket: Socket): void {
    this.#fallbackConnections += 1;
    void this.#fallback().then((server) => server.accept(socket));
  }
}
