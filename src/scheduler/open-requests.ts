import { LinkedList } from '../collections/linked-list.ts';
import type { PendingCall } from './call-queue.ts';

export interface OpenRequestsOptions {
  /** Limit for each request in milliseconds. */
  readonly deadlineMs: number;
  /** Called for a request past its deadline; must remove it. */
  readonly onExpired: (call: PendingCall) => void;
}

/**
 * Requests without a result, in order of arrival, which is the order of their deadlines. All have the same
 * limit, so one timer is enough: it checks the oldest.
 */
export class OpenRequests {
  readonly #options: OpenRequestsOptions;
  readonly #open = new LinkedList<PendingCall>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: OpenRequestsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#open.size;
  }

  add(call: PendingCall, nowMs: number): void {
    const { deadlineMs } = this.#options;
    call.expiresAtMs = nowMs + deadlineMs;
    this.#open.add(call);
    this.#timer ??= this.#checkIn(deadlineMs);
  }

  remove(call: PendingCall): void {
    this.#open.remove(call);
  }

  #checkIn(ms: number): NodeJS.Timeout {
    return setTimeout(() => {
      this.#timer = undefined;
      const now = performance.now();
      for (let call = this.#open.first; call !== undefined; call = this.#open.first) {
        if (call.expiresAtMs > now) {
          this.#timer = this.#checkIn(Math.ceil(call.expiresAtMs - now));
          return;
        }
        this.#options.onExpired(call);
      }
    }, ms).unref();
  }
}
