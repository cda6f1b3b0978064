import type { Arena } from '../native/abi/types.ts';
import type { KeyPage, KeyRange, PoolCalls } from '../native/calls/pool-calls.ts';
import type { Engine } from '../native/engine.ts';
import type { Address } from '../os/libc.ts';
import type { Caller } from './arena-room.ts';
import { BatchQueues } from './batch-calls.ts';
import type { CallQueue } from './call-queue.ts';
import { type CallCounts, Dispatcher } from './dispatcher.ts';
import { Probes } from './probes.ts';
import { quotasOf, SLOTS_FOR_BOTH } from './quotas.ts';
import { SingleCalls } from './single-calls.ts';

export interface SchedulerOptions {
  /** Limit for each request in milliseconds, including its wait. */
  readonly deadlineMs: number;
  /** Whether operations on single keys share engine calls; false by default. */
  readonly coalescing?: boolean;
  /** Whether batches may use all call slots; by default they leave some for single operations. */
  readonly unlimitedBatches?: boolean;
  /** With coalescing: calls in flight of each kind of small operation, instead of a measured number; for benchmarks. */
  readonly fixedSmallCalls?: number;
}

/**
 * The only way to the engine: every call of the store and of Node programs uses its queues, except calls
 * that return at once on the JavaScript thread. It limits the calls in flight, shares them
 * between requests, gives each request one deadline, and drains at shutdown.
 *
 * A request rejects with EngineDeadlineError past its deadline, with EngineStuckError at once when all
 * calls that it may make are past theirs, and with EngineClosedError after `close`.
 */
export class Scheduler {
  readonly engine: Engine;
  readonly arena: Arena;
  readonly deadlineMs: number;
  readonly single: SingleCalls;
  readonly batches: BatchQueues;
  readonly #dispatcher: Dispatcher;
  readonly #probes: Probes;
  #closing: Promise<boolean> | undefined;

  constructor(engine: Engine, options: SchedulerOptions) {
    const { deadlineMs, coalescing = false, unlimitedBatches = false, fixedSmallCalls } = options;
    const { callSlots: slots, substitutes, calls } = engine;
    this.engine = engine;
    this.arena = engine.arena;
    this.deadlineMs = deadlineMs;
    this.#dispatcher = new Dispatcher({ slots, substitutes, deadlineMs });
    this.#probes = new Probes(engine.probes);
    const { small, smallMost, large, asking } = quotasOf(slots);
    this.single = new SingleCalls(this.#dispatcher, calls, {
      coalescing,
      small: coalescing ? small : slots,
      large: coalescing ? large : slots,
      smallMost,
      fixedSmall: fixedSmallCalls,
    });
    this.batches = new BatchQueues(this.#dispatcher, engine, {
      asking: unlimitedBatches ? slots : asking,
      moving: unlimitedBatches || slots < SLOTS_FOR_BOTH ? 'shared' : large,
    });
  }

  /** Registers memory outside the arena with the engine: faster, and needed for large remote copies. */
  registerMemory(address: Address, bytes: number): Promise<number> {
    return this.batches.ask('register', (engine) => engine.register(address, bytes));
  }

  unregisterMemory(address: Address, bytes: number): Promise<number> {
    return this.batches.ask('unregister', (engine) => engine.unregister(address, bytes));
  }

  /** One page of keys, from the embedded engine, in turn with batches that move no values. */
  listKeys(pool: PoolCalls, range: KeyRange, caller?: Caller): Promise<KeyPage> {
    return this.batches.ask('list', () => pool.list(range), caller);
  }

  /**
   * Puts, gets and removes an object of the gateway in memory reserved for that. Shows whether the engine
   * works, independent of other calls. @throws MmcError, UntrustedReadError, EngineDeadlineError
   */
  probe(deadlineMs: number): Promise<void> {
    return this.#probes.run(deadlineMs, { toleratesFullPool: true });
  }

  /** Calls of probes count as in flight and need no slot. */
  calls(): CallCounts {
    const { slots, inFlight, late, queued } = this.#dispatcher.counts();
    const probes = this.#probes.counts();
    return { slots, inFlight: inFlight + probes.inFlight, late: late + probes.late, queued };
  }

  /** Calls in flight for requests. */
  get callsOfRequests(): number {
    return this.#dispatcher.counts().inFlight;
  }

  /** Whether calls past their deadline hold every call slot. */
  get isStuck(): boolean {
    return this.#dispatcher.isStuck;
  }

  /** Same as Dispatcher.substitute. */
  substitute(queue?: CallQueue): boolean {
    return this.#dispatcher.substitute(queue);
  }

  /**
   * Waits up to half of `deadlineMs` for calls in flight, and leaves the pool in the rest of it. True if
   * that succeeded; false if the process must `_exit`.
   */
  close(deadlineMs: number): Promise<boolean> {
    this.#closing ??= this.#close(deadlineMs);
    return this.#closing;
  }

  async #close(deadlineMs: number): Promise<boolean> {
    this.engine.sync?.close();
    const since = performance.now();
    // The pool treats a client that ends without leaving as dead.
    const drainMs = deadlineMs / 2;
    const drained = await Promise.all([
      this.#dispatcher.close(drainMs),
      this.#probes.close(drainMs),
    ]);
    // With a call in flight the engine's uninit hangs and then crashes (docs/engine-facts.md §3).
    if (drained.includes(false)) return false;
    return this.engine.leave(deadlineMs - (performance.now() - since));
  }
}
