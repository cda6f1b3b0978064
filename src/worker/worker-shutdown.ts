import { setImmediate as nextTurn } from 'node:timers/promises';
import { closeEngineMs, type DrainStage } from '../messages/protocol.ts';
import type { PendingGateway } from './pending-gateway.ts';
import type { RunningGateway } from './running-gateway.ts';
import type { SupervisorChannel } from './supervisor-channel.ts';

const progressMs = 500;

/** The end of a worker, once: requests finish, the supervisor permits it to leave the pool, the process exits. */
export class WorkerShutdown {
  readonly #gateway: PendingGateway;
  readonly #channel: SupervisorChannel;
  readonly #exit: (code: number) => void;
  #hasBegun = false;
  #stage: DrainStage = 'requests';
  #progress: NodeJS.Timeout | undefined;
  #permitLeave = (): void => undefined;
  readonly #leavePermitted = new Promise<void>((resolve) => {
    this.#permitLeave = resolve;
  });

  constructor(gateway: PendingGateway, channel: SupervisorChannel, exit: (code: number) => void) {
    this.#gateway = gateway;
    this.#channel = channel;
    this.#exit = exit;
  }

  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /** No other worker needs the objects in this worker's memory, or the supervisor has ended. */
  permitLeave(): void {
    this.#permitLeave();
  }

  /** Ends the process through `exit`. Requests have `deadlineMs` to finish; then they are cut off. */
  async begin(deadlineMs: number): Promise<void> {
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    this.#report();
    this.#progress = setInterval(() => this.#report(), progressMs);
    // Requests that the last connections have sent are read first, so that they count as in flight.
    await nextTurn();
    await nextTurn();
    const gateway = await this.#gateway.opened(deadlineMs);
    // Without a gateway no request was served, so none is cut off.
    const finished = gateway === undefined || (await this.#finish(gateway, deadlineMs));
    clearInterval(this.#progress);
    this.#exit(finished ? 0 : 1);
  }

  /** False when a request or a call of one was cut off. */
  async #finish(gateway: RunningGateway, deadlineMs: number): Promise<boolean> {
    const drained = await gateway.drain(deadlineMs);
    clearInterval(this.#progress);
    this.#report();
    if (drained) await this.#awaitLeave();
    // The supervisor must learn of requests that were cut off, whatever the engine does then.
    else gateway.destroyAll();
    const closed = await gateway.closeEngine(closeEngineMs);
    if (!drained) return false;
    // An engine that was given up without calls in flight has cut off no request.
    if (closed || gateway.remaining().calls === 0) return true;
    this.#report();
    return false;
  }

  /** Objects in this worker's memory are lost with it, and other workers may still serve them. */
  async #awaitLeave(): Promise<void> {
    this.#stage = 'engine';
    this.#report();
    if (process.connected) await this.#leavePermitted;
  }

  #report(): void {
    const remaining = this.#gateway.running?.remaining() ?? { requests: 0, calls: 0 };
    this.#channel.send({ type: 'draining', stage: this.#stage, ...remaining });
  }
}
