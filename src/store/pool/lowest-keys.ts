import type { KeyPage, KeyRange } from './pool-source.ts';

/**
 * The lowest keys of a range among keys in any order, in the memory of two pages: once it holds as many, it
 * drops the higher half.
 */
export class LowestKeys {
  readonly #range: KeyRange;
  #keys: Buffer[] = [];
  /** No higher key can be in the page. */
  #highest: Buffer | undefined;
  #more = false;

  constructor(range: KeyRange) {
    this.#range = range;
  }

  /** Copies the key if it may be in the page. */
  add(key: Buffer): void {
    const { prefix, after, limit } = this.#range;
    if (key.length < prefix.length || prefix.compare(key, 0, prefix.length) !== 0) return;
    if (after.length > 0 && key.compare(after) <= 0) return;
    if (this.#highest !== undefined && key.compare(this.#highest) >= 0) {
      this.#more ||= !key.equals(this.#highest);
      return;
    }
    this.#keys.push(Buffer.from(key));
    if (this.#keys.length >= 2 * limit) this.#reduce();
  }

  page(): KeyPage {
    this.#reduce();
    return { keys: this.#keys, more: this.#more };
  }

  #reduce(): void {
    const { limit } = this.#range;
    const sorted = this.#keys.sort((left, right) => left.compare(right));
    // A list that changes while it is sent may have a key twice.
    const unique = sorted.filter((key, at) => at === 0 || !key.equals(sorted[at - 1] as Buffer));
    if (unique.length > limit) {
      this.#more = true;
      unique.length = limit;
    }
    this.#keys = unique;
    if (unique.length === limit) this.#highest = unique[limit - 1];
  }
}
