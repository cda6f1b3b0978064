import type { Block } from '../native/abi/types.ts';

/** A smaller block is released before another request could use it. */
const MIN_KEPT_BYTES = 64 * 1024;

export interface StaleBlocks {
  /** Runs a read, and remembers its block until the last user releases it. */
  read(key: string, read: () => Promise<Block>): Promise<Block>;
  /** Whether `take` may find a block of this key. */
  mayHave(key: string): boolean;
  /**
   * A block of an earlier read that is still in use, of which the caller becomes a user. The caller
   * must know from the engine that the object exists now and has `size` bytes.
   */
  take(key: string, size: number): Block | undefined;
  /** The object has changed: no block that was read before is used again. */
  forget(key: string): void;
  /** How many times a block was taken. */
  readonly taken: number;
}

interface Reading {
  readonly beganMs: number;
}

/**
 * Blocks that are still being sent, for an operator who accepts old bytes in exchange for fewer
 * engine reads: a block is shared until `maxAgeMs` after its read began. Another client may have
 * replaced the object by one of the same size since then; the request then receives the old bytes.
 */
export function createStaleBlocks(
  maxAgeMs: number,
  now: () => number = () => performance.now(),
): StaleBlocks {
  /** The latest read in progress of each key, unless the object has changed since it began. */
  const readings = new Map<string, Reading>();
  const blocks = new Map<string, StaleBlock>();
  let taken = 0;

  function keep(key: string, { beganMs }: Reading, block: Block): Block {
    if (block.length < MIN_KEPT_BYTES) return block;
    const kept = new StaleBlock(block, beganMs + maxAgeMs, () => {
      if (blocks.get(key) === kept) blocks.delete(key);
    });
    blocks.set(key, kept);
    return kept;
  }

  return {
    async read(key, read) {
      const reading = { beganMs: now() };
      readings.set(key, reading);
      let isCurrent = false;
      let block: Block;
      try {
        block = await read();
      } finally {
        isCurrent = readings.get(key) === reading;
        if (isCurrent) readings.delete(key);
      }
      return isCurrent ? keep(key, reading, block) : block;
    },
    mayHave(key) {
      const block = blocks.get(key);
      return block !== undefined && now() <= block.expiresAtMs;
    },
    take(key, size) {
      const block = blocks.get(key);
      if (block === undefined || block.length !== size || now() > block.expiresAtMs) return;
      taken += 1;
      block.retain();
      return block;
    },
    forget(key) {
      readings.delete(key);
      blocks.delete(key);
    },
    get taken() {
      return taken;
    },
  };
}

/** A block that reports when its last user has released it. */
class StaleBlock implements Block {
  readonly length: number;
  readonly expiresAtMs: number;
  readonly #block: Block;
  readonly #onFreed: () => void;
  #users = 1;

  constructor(block: Block, expiresAtMs: number, onFreed: () => void) {
    this.#block = block;
    this.length = block.length;
    this.expiresAtMs = expiresAtMs;
    this.#onFreed = onFreed;
  }

  get view(): Buffer {
    return this.#block.view;
  }

  slice(offset: number, length: number): Block {
    return this.#block.slice(offset, length);
  }

  retain(): void {
    if (this.#users === 0) throw new Error('a freed block was retained');
    this.#users += 1;
  }

  release(): void {
    if (this.#users === 0) throw new Error('a block was released twice');
    this.#users -= 1;
    if (this.#users > 0) return;
    this.#onFreed();
    this.#block.release();
  }
}
