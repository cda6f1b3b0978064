import { EngineDeadlineError } from '../native/abi/errors.ts';
import type { Block } from '../native/abi/types.ts';
import { type Caller, hasLeft, peerOf } from '../scheduler/arena-room.ts';

/** Time in milliseconds, and one-shot timers. Tests pass their own. */
export interface Clock {
  now(): number;
  /** Calls `callback` after `ms` milliseconds; the result cancels the timer. */
  after(ms: number, callback: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, ms).unref();
    return () => clearTimeout(timer);
  },
};

/** A request that waits for a shared read. */
export interface Passenger {
  readonly caller: Caller | undefined;
  readonly resolve: (block: Block) => void;
  readonly reject: (error: unknown) => void;
}

interface Boarded extends Passenger {
  readonly arrivedMs: number;
}

/**
 * One read of an object, and the requests that receive its block. The arena sees them as one caller,
 * which counts as disconnected when all of them have disconnected.
 *
 * Requests may wait here before the read begins. `limitWaiting` makes that wait count against the
 * deadline of each request: a request fails `deadlineMs` after its arrival. The time during which the
 * read waits for room in the arena does not count, because the arena has its own limit.
 */
export class GroupRead implements Caller {
  readonly #clock: Clock;
  readonly #passengers: Boarded[] = [];
  readonly #listeners = new Set<() => void>();
  #roomSinceMs = 0;
  #roomMs = 0;
  #cancelTimer: (() => void) | undefined;
  readonly #notifyIfEmpty = (): void => {
    if (this.destroyed) for (const listener of [...this.#listeners]) listener();
  };

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(passenger: Passenger): void {
    this.#passengers.push({ ...passenger, arrivedMs: this.#clock.now() });
    if (this.#listeners.size > 0) this.#watch(passenger.caller);
  }

  /** From now on a passenger fails `deadlineMs` after it arrived. */
  limitWaiting(deadlineMs: number): void {
    this.#cancelTimer = this.#clock.after(deadlineMs, () => this.#expire(deadlineMs));
  }

  /** Gives the block to every passenger; each releases it once. Without passengers it is freed here. */
  succeed(block: Block): void {
    this.#cancelTimer?.();
    for (let extra = this.#passengers.length - 1; extra > 0; extra--) block.retain();
    if (this.#passengers.length === 0) block.release();
    for (const { resolve } of this.#passengers) resolve(block);
  }

  fail(error: unknown): void {
    this.#cancelTimer?.();
    for (const { reject } of this.#passengers) reject(error);
  }

  /** Whether every passenger has disconnected, so that no request needs the block. */
  get destroyed(): boolean {
    return this.#passengers.every(({ caller }) => caller !== undefined && hasLeft(caller));
  }

  /** The block counts against the client of the first request. */
  get peer(): object | undefined {
    return peerOf(this.#passengers[0]?.caller);
  }

  /** Connections are watched only while the read waits for room in the arena. */
  once(_event: 'close', listener: () => void): void {
    if (this.#listeners.size === 0) {
      this.#roomSinceMs = this.#clock.now();
      for (const { caller } of this.#passengers) this.#watch(caller);
    }
    this.#listeners.add(listener);
  }

  off(_event: 'close', listener: () => void): void {
    if (!this.#listeners.delete(listener) || this.#listeners.size > 0) return;
    this.#roomMs += this.#clock.now() - this.#roomSinceMs;
    for (const { caller } of this.#passengers) this.#unwatch(caller);
  }

  #expire(deadlineMs: number): void {
    const waitsForRoom = this.#listeners.size > 0;
    const now = this.#clock.now();
    const roomMs = this.#roomMs + (waitsForRoom ? now - this.#roomSinceMs : 0);
    const remainingMs = ({ arrivedMs }: Boarded) => arrivedMs + deadlineMs + roomMs - now;
    // Passengers are in order of arrival.
    let [oldest] = this.#passengers;
    while (oldest !== undefined && remainingMs(oldest) <= 0) {
      this.#passengers.shift();
      this.#unwatch(oldest.caller);
      oldest.reject(new EngineDeadlineError('get', deadlineMs));
      [oldest] = this.#passengers;
    }
    const inMs = oldest === undefined ? deadlineMs : Math.ceil(remainingMs(oldest));
    this.#cancelTimer = this.#clock.after(inMs, () => this.#expire(deadlineMs));
  }

  #watch(caller: Caller | undefined): void {
    caller?.once('close', this.#notifyIfEmpty);
  }

  #unwatch(caller: Caller | undefined): void {
    caller?.off('close', this.#notifyIfEmpty);
  }
}
