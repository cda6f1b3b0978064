/** What a store may hold after what was done to it: for each key, the values that are possible. */
import assert from 'node:assert/strict';
import { bytesOf, type Value } from './values.ts';

/** Nothing under this key. */
export const absent = 'absent';
export type State = Value | typeof absent;

/**
 * One key. Whoever changes it does one thing after the other, so that mostly one state is possible;
 * more are after an operation whose outcome nobody has heard: an upload that was broken off, or one
 * that failed in the engine. What is seen of it narrows them down, unless something may be under way.
 */
export class ModelKey {
  readonly key: string;
  #possible: readonly State[] = [absent];
  /** What is under way may still take effect: only when all is quiet can a look settle it. */
  #unsettled = false;

  constructor(key: string) {
    this.key = key;
  }

  get settled(): boolean {
    return !this.#unsettled;
  }

  get mayBeAbsent(): boolean {
    return this.#possible.includes(absent);
  }

  /** An operation that was answered with success: this is what is there now. */
  becomes(state: State): void {
    this.#possible = this.#unsettled ? [...this.#possible, state] : [state];
  }

  /** An operation with an outcome that nobody has heard, and that may be `underWay` still. */
  mayBecome(states: readonly State[], underWay: boolean): void {
    if (states.length === 0) return;
    this.#possible = [...this.#possible, ...states];
    this.#unsettled ||= underWay;
  }

  /** Nothing is under way any more: what is found now is what is there. */
  settle(found: Buffer | typeof absent): void {
    this.#unsettled = false;
    this.sees(found);
  }

  /** Checks what was read: a part of the value from `start` on, of `total` bytes. */
  sees(found: Buffer | typeof absent, start = 0, total?: number): void {
    this.#narrow(
      () => (found === absent ? absent : `${found.length} bytes from ${start}`),
      (state) => {
        if (found === absent || state === absent) return found === state;
        if (state.length !== (total ?? found.length)) return false;
        return bytesOf(state)
          .subarray(start, start + found.length)
          .equals(found);
      },
    );
  }

  seesLength(length: number): void {
    this.#narrow(
      () => `${length} bytes`,
      (state) => state !== absent && state.length === length,
    );
  }

  seesPresence(present: boolean): void {
    this.#narrow(
      () => (present ? 'an object' : absent),
      (state) => (state !== absent) === present,
    );
  }

  #narrow(what: () => string, fits: (state: State) => boolean): void {
    const fitting = this.#possible.filter(fits);
    if (fitting.length === 0) {
      assert.fail(`${this.key}: found ${what()}; possible: ${this.#describe()}`);
    }
    if (!this.#unsettled) this.#possible = fitting;
  }

  #describe(): string {
    return this.#possible
      .map((state) => (state === absent ? absent : `version ${state.version} (${state.length})`))
      .join(', ');
  }
}
