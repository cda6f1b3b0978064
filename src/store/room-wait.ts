import { setTimeout as elapse } from 'node:timers/promises';
import type { Caller } from '../scheduler/arena-room.ts';

const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 320;

/**
 * Puts that wait for room in the pool: an engine evicts in the background, and other clients remove
 * objects. The values that wait stay in the arena and hold at most `maxBytes` of it; a put beyond that
 * does not wait.
 */
export class RoomWait {
  readonly #waitMs: number;
  readonly #maxBytes: number;
  #heldBytes = 0;
  #waiting = 0;
  #waits = 0;
  #isOver = false;

  constructor(waitMs: number, maxBytes: number) {
    this.#waitMs = waitMs;
    this.#maxBytes = maxBytes;
  }

  /** Bytes of the values that wait. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Puts that wait. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Puts that have begun to wait. */
  get waits(): number {
    return this.#waits;
  }

  /** From now on no put waits: the gateway shuts down. */
  end(): void {
    this.#isOver = true;
  }

  /**
   * Repeats the attempt to put `bytes` bytes for a client, at growing intervals, until it returns true,
   * rejects, the client has disconnected, the wait is over, or `mayEvict` returns false: then nothing will
   * make room.
   */
  async retry(
    bytes: number,
    client: Pick<Caller, 'destroyed'>,
    attempt: () => Promise<boolean>,
    mayEvict: () => boolean = () => true,
  ): Promise<void> {
    if (this.#endsFor(client) || !mayEvict() || this.#heldBytes + bytes > this.#maxBytes) return;
    this.#heldBytes += bytes;
    this.#waiting += 1;
    this.#waits += 1;
    try {
      const endMs = performance.now() + this.#waitMs;
      for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
        const leftMs = endMs - performance.now();
        if (leftMs <= 0) return;
        await elapse(Math.min(pauseMs, leftMs));
        if (this.#endsFor(client)) return;
        if ((await attempt()) || !mayEvict()) return;
      }
    } finally {
      this.#heldBytes -= bytes;
      this.#waiting -= 1;
    }
  }

  #endsFor({ destroyed }: Pick<Caller, 'destroyed'>): boolean {
    return this.#isOver || destroyed;
  }
}
