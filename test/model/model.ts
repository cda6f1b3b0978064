/** What a store may hold after what was done to it: for each key, the values that are possible. */
import assert from 'node:assert/strict';
import { bytesOf, type Value } from './values.ts';

/** Nothing under this key. */
export const absent = 'absent';
export type State = Value | typeof absent;

/**
 * One key. Whoever works on it does one thing after the other, so that mostly one state is possible;
 * more are after an operation whose outcome nobody has heard: an upload that was broken off, or one
 * that failed in the engine. Until a look when all is quiet, any of them may be found.
 */
export class ModelKey {
  readonly key: string;
  #possible: State[] = [absent];
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

  get mayExist(): boolean {
    return this.#possible.some((state) => state !== absent);
  }

  /** An operation that was answered with success: this is what is there now. */
  becomes(state: State): void {
    if (this.#unsettled) this.mayBecome(state);
    else this.#possible = [state];
  }

  /** An operation with an outcome that nobody has heard. */
  mayBecome(...states: State[]): void {
    this.#possible.push(...states);
    this.#unsettled = true;
  }

  /** Nothing is under way any more: what is found now is what is there. */
  settle(found: Buffer | typeof absent): void {
    const state = this.#stateOf(found);
    this.#possible = [state];
    this.#unsettled = false;
  }

  /** Checks what was read: a part of the value from `start` on, of `total` bytes. */
  sees(found: Buffer | typeof absent, start = 0, total?: number): void {
    this.#stateOf(found, start, total);
  }

  seesLength(length: number | typeof absent): void {
    const fits = this.#possible.some((state) =>
      length === absent ? state === absent : state !== absent && state.length === length,
    );
    assert.ok(fits, `${this.key} has length ${length}; possible: ${this.#describe()}`);
  }

  #stateOf(found: Buffer | typeof absent, start = 0, total?: number): State {
    const state = this.#possible.find((candidate) => {
      if (found === absent || candidate === absent) return found === candidate;
      if (candidate.length !== (total ?? found.length)) return false;
      return bytesOf(candidate)
        .subarray(start, start + found.length)
        .equals(found);
    });
    const what = found === absent ? absent : `${found.length} bytes from ${start}`;
    assert.notEqual(state, undefined, `${this.key}: found ${what}; possible: ${this.#describe()}`);
    return state as State;
  }

  #describe(): string {
    return this.#possible
      .map((state) => (state === absent ? absent : `version ${state.version} (${state.length})`))
      .join(', ');
  }
}
