import { setTimeout as elapse } from 'node:timers/promises';
import type { RuntimeSettings } from '../messages/runtime-settings.ts';
import type { RunningGateway } from './running-gateway.ts';

/** The gateway of a worker, which may still be opening. Changes that arrive earlier apply once it is open. */
export class PendingGateway {
  #opening: Promise<RunningGateway> | undefined;
  #running: RunningGateway | undefined;
  #isStopAnnounced = false;
  #settings: RuntimeSettings | undefined;

  /** Undefined until it is open. */
  get running(): RunningGateway | undefined {
    return this.#running;
  }

  async open(opening: Promise<RunningGateway>): Promise<RunningGateway> {
    this.#opening = opening;
    const gateway = await opening;
    this.#running = gateway;
    if (this.#isStopAnnounced) gateway.announceStop();
    if (this.#settings !== undefined) gateway.reconfigure(this.#settings);
    return gateway;
  }

  announceStop(): void {
    this.#isStopAnnounced = true;
    this.#running?.announceStop();
  }

  reconfigure(settings: RuntimeSettings): void {
    this.#settings = settings;
    this.#running?.reconfigure(settings);
  }

  /**
   * Waits until it is open; undefined when it failed, was never to be opened, or `deadlineMs` is over first.
   * An initialisation cannot be interrupted, and without a meta service it lasts for a minute
   * (docs/engine-facts.md §3).
   */
  async opened(deadlineMs: number): Promise<RunningGateway | undefined> {
    const waiting = new AbortController();
    const { signal } = waiting;
    const gateway = await Promise.race([
      this.#opening?.catch(() => undefined),
      elapse(deadlineMs, undefined, { signal }),
    ]);
    waiting.abort();
    return gateway;
  }
}
