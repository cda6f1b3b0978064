/** The first memory for a text, whatever length it announces. */
const START_BYTES = 16 * 1024;

/** Accounts for memory; `take` throws when none is left. */
export interface TextBudget {
  take(bytes: number): void;
  giveBack(bytes: number): void;
}

/**
 * A text of at most `maxBytes` as it arrives, in one buffer that doubles. Memory is taken for bytes
 * that have arrived, not for those that are announced, so a client is charged only for bytes it has sent.
 */
export class GrowingText {
  readonly #budget: TextBudget;
  readonly #maxBytes: number;
  #memory = Buffer.alloc(0);
  #length = 0;

  constructor(budget: TextBudget, maxBytes: number) {
    this.#budget = budget;
    this.#maxBytes = maxBytes;
  }

  /** The bytes that have arrived; valid until the next `append` or `release`. */
  get bytes(): Buffer {
    return this.#memory.subarray(0, this.#length);
  }

  /**
   * Appends the bytes of a chunk from `from` on, until the text has `maxBytes`; returns their number.
   * Throws the error of the budget.
   */
  append(chunk: Uint8Array, from = 0): number {
    const taken = Math.min(chunk.length - from, this.#maxBytes - this.#length);
    const needed = this.#length + taken;
    if (needed > this.#memory.length) this.#grow(needed);
    this.#memory.set(chunk.subarray(from, from + taken), this.#length);
    this.#length = needed;
    return taken;
  }

  /** Gives the memory back to the budget. */
  release(): void {
    this.#budget.giveBack(this.#memory.length);
    this.#memory = Buffer.alloc(0);
    this.#length = 0;
  }

  #grow(needed: number): void {
    const bytes = Math.min(this.#maxBytes, Math.max(needed, this.#memory.length * 2, START_BYTES));
    // The old buffer is garbage when this returns, so only the difference is held.
    this.#budget.take(bytes - this.#memory.length);
    const larger = Buffer.allocUnsafeSlow(bytes);
    larger.set(this.bytes);
    this.#memory = larger;
  }
}
