import { setTimeout as elapse } from 'node:timers/promises';

const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 320;

/**
 * Puts that wait for room in the pool: an engine evicts in the background, and other clients remove
 * objects. Their values stay in the arena meanwhile, so all of them together hold at most `maxBytes`; a
 * put beyond that does not wait.
 */
export class RoomWait {
  readonly #waitMs: number;
  readonly #maxBytes: number;
  #heldBytes = 0;

  constructor(waitMs: number, maxBytes: number) {
    this.#waitMs = waitMs;
    this.#maxBytes = maxBytes;
  }

  /** Bytes of the values that wait. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /**
   * Repeats the attempt to put `bytes` bytes, at growing intervals, until it returns true, rejects, or
   * the wait is over.
   */
  async retry(bytes: number, attempt: () => Promise<boolean>): Promise<void> {
    if (this.#heldBytes + bytes > this.#maxBytes) return;
    this.#heldBytes += bytes;
    try {
      const endMs = performance.now() + this.#waitMs;
      for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
        const leftMs = endMs - performance.now();
        if (leftMs <= 0) return;
        await elapse(Math.min(pauseMs, leftMs));
        if (await attempt()) return;
      }
    } finally {
      this.#heldBytes -= bytes;
    }
  }
}
