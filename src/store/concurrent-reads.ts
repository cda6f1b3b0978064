import type { Block } from '../native/abi/types.ts';
import type { Caller } from '../scheduler/arena-room.ts';
import { SingleFlight } from './single-flight.ts';
import { createStaleBlocks, type StaleBlocks } from './stale-blocks.ts';

/** Reads the whole object; `size` is the size that the engine has just returned for it. */
export type ReadAlone = (
  key: string,
  caller: Caller | undefined,
  size: number | undefined,
) => Promise<Block>;

export interface ConcurrentReadsOptions {
  readonly deadlineMs: number;
  /** How old the bytes of a read may be, in milliseconds; with 0 no block outlives its requests. */
  readonly staleReadMs: number;
}

/** Reads of one object at the same time: they share engine calls, and blocks that are being sent. */
export class ConcurrentReads {
  readonly #alone: ReadAlone;
  readonly #sizeOf: (key: string) => Promise<number>;
  readonly #flights: SingleFlight;
  readonly #stale: StaleBlocks | undefined;

  constructor(
    { deadlineMs, staleReadMs }: ConcurrentReadsOptions,
    alone: ReadAlone,
    sizeOf: (key: string) => Promise<number>,
  ) {
    this.#alone = alone;
    this.#sizeOf = sizeOf;
    this.#flights = new SingleFlight({ deadlineMs });
    this.#stale = staleReadMs > 0 ? createStaleBlocks(staleReadMs) : undefined;
  }

  read(key: string, caller: Caller | undefined, size: number | undefined): Promise<Block> {
    const block = size === undefined ? undefined : this.#stale?.take(key, size);
    if (block !== undefined) return Promise.resolve(block);
    return this.#flights.join(key, caller, (all, deferred) => {
      // A read that begins later must not rely on a size that the engine returned before.
      const fresh = deferred ? undefined : size;
      return this.#stale === undefined
        ? this.#alone(key, all, fresh)
        : this.#readOrTake(this.#stale, key, all, fresh);
    });
  }

  /** The object has changed: no block that was read before is used again. */
  forget(key: string): void {
    this.#stale?.forget(key);
  }

  /** Reads that received the block of another one, since the process started. */
  get count(): number {
    return this.#flights.joined + (this.#stale?.taken ?? 0);
  }

  /** One query for all requests of a shared read decides whether they may have an older block. */
  async #readOrTake(
    stale: StaleBlocks,
    key: string,
    caller: Caller,
    given: number | undefined,
  ): Promise<Block> {
    const size = given ?? (stale.mayHave(key) ? await this.#sizeOf(key) : undefined);
    const block = size === undefined ? undefined : stale.take(key, size);
    return block ?? stale.read(key, () => this.#alone(key, caller, size));
  }
}
