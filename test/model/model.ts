/** The possible contents of a store after some operations: for each key, its possible values. */
import assert from 'node:assert/strict';
import { bytesOf, type Value } from './values.ts';

/** No object has this key. */
export const absent = 'absent';
export type State = Value | typeof absent;

/**
 * One key. Its client runs one operation after another, so mostly one state is possible. More states
 * are possible after an operation with an unknown outcome: an upload that was cut off, or one that
 * failed in the engine. Each read narrows them down, unless an operation may still be in flight.
 */
export class ModelKey {
  readonly key: string;
  #possible: readonly State[] = [absent];
  /** An operation in flight may still take effect: a read settles the state only when none is. */
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

  /** An operation has succeeded: this is the state now. */
  becomes(state: State): void {
    this.#possible = this.#unsettled ? [...this.#possible, state] : [state];
  }

  /** An operation has an unknown outcome, and may still be in flight (`underWay`). */
  mayBecome(states: readonly State[], underWay: boolean): void {
    if (states.length === 0) return;
    this.#possible = [...this.#possible, ...states];
    this.#unsettled ||= underWay;
  }

  /** No operation is in flight any more, so the state found now is final. */
  settle(found: Buffer | typeof absent): void {
    this.#unsettled = false;
    this.sees(found);
  }

  /** Checks bytes that were read: the part of the value from `start` on, of `total` bytes. */
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
