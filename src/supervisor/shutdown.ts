/**
 * Ends a pool without a reset of an accepted connection: readiness fails; after a delay, in which load
 * balancers choose other servers, the listeners take the connections that the kernel has accepted and
 * close; workers take the connections that still wait; and only then the workers drain.
 */
import { setTimeout as elapse } from 'node:timers/promises';
import type { Config } from '../config/config.ts';
import type { PoolLog } from '../log/waiting-log.ts';
import { closeEngineMs } from '../messages/protocol.ts';
import type { Dispatch } from './dispatch/dispatch.ts';
import type { Listeners } from './listeners/listeners.ts';

/** A worker of the pool. */
interface PoolWorker {
  /** Whether a connection is under way to its worker, which may return it. */
  readonly offering: boolean;
  announceStop(): void;
  /** Drains its worker, and starts no other. */
  stop(deadlineMs: number): void;
  /** Lets its worker leave the pool, though others have not drained. */
  leave(): void;
}

export interface ShutdownOptions {
  readonly config: Pick<Config, 'drainMs' | 'drainDelayMs'>;
  readonly log: PoolLog;
  readonly workers: readonly PoolWorker[];
  readonly dispatch: Pick<Dispatch, 'hold' | 'release' | 'waitingConnections'>;
  /** Undefined while they are being opened. */
  readonly listeners: () => Pick<Listeners, 'finish' | 'close'> | undefined;
  /** The listeners are about to close, and wait for this. */
  readonly onClosing: () => Promise<void>;
  /** The shutdown has outlasted its deadline: kill the workers. */
  readonly onOverdue: (reason: string) => void;
}

/** Time that a worker needs beyond its own deadlines to exit. */
const slackMs = 500;
const pollMs = 5;

/** The end of the pool, once. */
export class Shutdown {
  readonly #options: ShutdownOptions;
  readonly #hurried = new AbortController();
  #overdue: NodeJS.Timeout | undefined;
  #leave: NodeJS.Timeout | undefined;
  #haveWorkersStopped = false;

  constructor(options: ShutdownOptions) {
    this.#options = options;
  }

  /** `delayed` when load balancers must see readiness fail first. */
  async begin(reason: string, delayed: boolean): Promise<void> {
    const { config, log, workers } = this.#options;
    const { drainDelayMs } = config;
    for (const worker of workers) worker.announceStop();
    if (delayed && drainDelayMs > 0) {
      log.info({ reason, drainDelayMs }, 'not ready any more; stopping after a delay');
      await this.#pause(drainDelayMs);
    }
    await this.#drain(reason);
  }

  /** Ends all waiting: the workers are stopped at once. */
  hurry(): void {
    this.#hurried.abort();
    this.#options.listeners()?.close();
    this.#stopWorkers(0);
  }

  /** All workers have ended. */
  done(): void {
    clearTimeout(this.#overdue);
    clearTimeout(this.#leave);
  }

  async #drain(reason: string): Promise<void> {
    const { config, dispatch, listeners, log, onClosing, onOverdue } = this.#options;
    const { drainMs } = config;
    const untilMs = performance.now() + drainMs;
    const leftMs = () => Math.max(0, Math.round(untilMs - performance.now()));
    const closing = onClosing();
    log.info({ reason, drainMs }, 'stopping; requests in flight may finish');
    const maxMs = drainMs + closeEngineMs;
    this.#overdue = setTimeout(() => onOverdue(`${maxMs / 1000} s have passed`), maxMs + slackMs);
    // Clients that got a response would connect again at once, and the kernel's queue would not get empty.
    dispatch.hold();
    await closing;
    await listeners()?.finish();
    dispatch.release();
    while (this.#hasUnserved() && leftMs() > 0 && !this.#hurried.signal.aborted) {
      await this.#pause(pollMs);
    }
    this.#stopWorkers(leftMs());
  }

  #hasUnserved(): boolean {
    const { dispatch, workers } = this.#options;
    return dispatch.waitingConnections > 0 || workers.some(({ offering }) => offering);
  }

  #stopWorkers(leftMs: number): void {
    if (this.#haveWorkersStopped) return;
    this.#haveWorkersStopped = true;
    const { workers } = this.#options;
    for (const worker of workers) worker.stop(leftMs);
    this.#leave = setTimeout(() => {
      for (const worker of workers) worker.leave();
    }, leftMs);
  }

  #pause(ms: number): Promise<void> {
    return elapse(ms, undefined, { signal: this.#hurried.signal }).catch(() => undefined);
  }
}
