import { EngineClosedError, EngineDeadlineError } from '../native/abi/errors.ts';
import { RegisteredBuffers } from '../native/arena/registered-buffers.ts';
import { openEngine } from '../native/open-engine.ts';
import { Scheduler } from '../scheduler/scheduler.ts';
import { resolveStoreOptions, type StoreOptions } from './store-options.ts';
import { check, type StoreSession } from './store-session.ts';

/** A client of the pool for a Node program, from its opening to its close. */
export class StoreConnection {
  readonly #registered = new RegisteredBuffers();
  /** Limit of the wait for memory in the arena. */
  readonly #waitMs: number;
  #scheduler: Scheduler | undefined;

  private constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
    this.#waitMs = scheduler.deadlineMs;
  }

  /** @throws EngineLoadError with advice; RangeError for an option out of its range. */
  static async open(given: StoreOptions, device: number): Promise<StoreConnection> {
    const options = resolveStoreOptions(given);
    const engine = await openEngine({ ...options, device });
    const { deadlineMs } = options;
    return new StoreConnection(new Scheduler(engine, { deadlineMs, unlimitedBatches: true }));
  }

  /** @throws EngineClosedError after `close`. */
  scheduler(operation: string): Scheduler {
    if (this.#scheduler === undefined) throw new EngineClosedError(operation);
    return this.#scheduler;
  }

  /** @throws EngineClosedError after `close`. */
  session(operation: string): StoreSession {
    const scheduler = this.scheduler(operation);
    return { scheduler, registered: this.#registered, waitMs: this.#waitMs, operation };
  }

  async registerBuffer(buffer: Uint8Array, operation: string): Promise<void> {
    const scheduler = this.scheduler(operation);
    const located = this.#registered.locate(buffer);
    check(await scheduler.registerMemory(located.address, buffer.length), operation);
    this.#registered.add(located);
  }

  async unregisterBuffer(buffer: Uint8Array, operation: string): Promise<void> {
    const scheduler = this.scheduler(operation);
    const located = this.#registered.locate(buffer);
    this.#registered.delete(located);
    check(await scheduler.unregisterMemory(located.address, buffer.length), operation);
  }

  /** Without effect after the first call. @throws EngineDeadlineError if the engine does not return. */
  async close(deadlineMs: number): Promise<void> {
    const scheduler = this.#scheduler;
    this.#scheduler = undefined;
    if (scheduler === undefined) return;
    if (!(await scheduler.close(deadlineMs))) throw new EngineDeadlineError('close', deadlineMs);
  }
}
