import type { Address } from './abi.ts';
import type { Block } from './types.ts';

/** A block as the native side sees it: where its bytes are, for the engine and for the canaries. */
export interface NativeBlock extends Block {
  readonly address: Address;
  /** The bytes around the block; the block starts at `start` of them. */
  readonly memory: Uint8Array;
  readonly start: number;
}

/** Every block that reaches the native side was made there; anything else is a defect above. */
export function asNative(block: Block): NativeBlock {
  if (!('address' in block)) throw new TypeError('not a block of this arena');
  return block as NativeBlock;
}

/**
 * Memory that is not a block of its own: a part of a larger block, or a registered Buffer. What it
 * is part of stays in use as long as it does.
 */
export class MemorySlice implements NativeBlock {
  readonly address: Address;
  readonly memory: Uint8Array;
  readonly start: number;
  readonly length: number;
  readonly #owner: Pick<Block, 'retain' | 'release'>;
  #users = 1;

  constructor(
    owner: Pick<Block, 'retain' | 'release'>,
    place: { address: Address; memory: Uint8Array; start: number; length: number },
  ) {
    this.#owner = owner;
    this.address = place.address;
    this.memory = place.memory;
    this.start = place.start;
    this.length = place.length;
    owner.retain();
  }

  get view(): Buffer {
    if (this.#users === 0) throw new Error('a released slice was read');
    return Buffer.from(this.memory.buffer, this.memory.byteOffset + this.start, this.length);
  }

  retain(): void {
    if (this.#users === 0) throw new Error('a released slice was retained');
    this.#users++;
  }

  release(): void {
    if (this.#users === 0) throw new Error('a slice was released twice');
    if (--this.#users === 0) this.#owner.release();
  }
}

/** For slices of memory that lives as long as the process. */
export const ownerless: Pick<Block, 'retain' | 'release'> = { retain() {}, release() {} };

/** `length` bytes of a block, from `offset` on. */
export function sliceBlock(block: NativeBlock, offset: number, length: number): MemorySlice {
  if (offset < 0 || length < 1 || offset + length > block.length) {
    throw new RangeError(`bytes ${offset}+${length} of a block of ${block.length}`);
  }
  return new MemorySlice(block, {
    address: (block.address + offset) as Address,
    memory: block.memory,
    start: block.start + offset,
    length,
  });
}

/** A hold on it for a call of so many of its bytes. @throws RangeError for more than it has. */
export function retained(block: Block, length: number): NativeBlock {
  if (!(Number.isInteger(length) && length >= 1 && length <= block.length)) {
    throw new RangeError(`${length} bytes of a block of ${block.length}`);
  }
  const memory = asNative(block);
  memory.retain();
  return memory;
}

/** A hold on each, for a call of as many keys. @throws RangeError when there are not as many. */
export function allRetained(keys: readonly string[], blocks: readonly Block[]): NativeBlock[] {
  if (blocks.length !== keys.length) {
    throw new RangeError(`${keys.length} keys and ${blocks.length} blocks`);
  }
  return blocks.map((block) => retained(block, block.length));
}
