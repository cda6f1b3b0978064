import type { Address } from '../../os/libc.ts';
import { writeToSocket } from '../../os/socket-write.ts';
import type { Block } from '../abi/types.ts';

/** Where the memory of a block is. */
export interface Place {
  readonly address: Address;
  /** The memory around the block, which starts at `start` of these bytes. */
  readonly memory: Uint8Array;
  readonly start: number;
  readonly length: number;
}

/** Gets the memory of a block back from its last user. `note` is what the owner gave to the block. */
export interface BlockOwner<Note> {
  free(note: Note, length: number): void;
}

/** A block with its address, for the engine and for the canaries. */
export class NativeBlock<Note = unknown> implements Block, Place {
  readonly address: Address;
  readonly memory: Uint8Array;
  readonly start: number;
  readonly length: number;
  readonly #owner: BlockOwner<Note>;
  readonly #note: Note;
  #users = 1;
  #view: Buffer | undefined;

  constructor(owner: BlockOwner<Note>, note: Note, place: Place) {
    this.#owner = owner;
    this.#note = note;
    this.address = place.address;
    this.memory = place.memory;
    this.start = place.start;
    this.length = place.length;
  }

  get view(): Buffer {
    if (this.#users === 0) throw new Error('the bytes of a released block were read');
    const { buffer, byteOffset } = this.memory;
    // Created on first use, because many calls only pass the block on.
    this.#view ??= Buffer.from(buffer, byteOffset + this.start, this.length);
    return this.#view;
  }

  slice(offset: number, length: number): NativeBlock {
    if (
      !Number.isInteger(offset) ||
      !Number.isInteger(length) ||
      offset < 0 ||
      length < 1 ||
      offset + length > this.length
    ) {
      throw new RangeError(`bytes ${offset}+${length} of a block of ${this.length}`);
    }
    this.retain();
    return new NativeBlock(sliceOwner, this, {
      address: (this.address + offset) as Address,
      memory: this.memory,
      start: this.start + offset,
      length,
    });
  }

  retain(): void {
    if (this.#users === 0) throw new Error('a released block was retained');
    this.#users++;
  }

  release(): void {
    if (this.#users === 0) throw new Error('a block was released twice');
    if (--this.#users === 0) this.#owner.free(this.#note, this.length);
  }
}

/** The surrounding block stays in use as long as its slice. */
const sliceOwner: BlockOwner<NativeBlock> = { free: (whole) => whole.release() };

/** A block of memory that is never released. */
export const permanentBlock = (place: Place): NativeBlock =>
  new NativeBlock({ free() {} }, undefined, place);

/** The native side has created every valid block; any other object is a defect of the caller. */
export function asNative(block: Block): NativeBlock {
  if (!('address' in block)) throw new TypeError('not a block of this arena');
  return block as NativeBlock;
}

/** A hold on it for a call with its first `length` bytes. @throws RangeError for more than it has. */
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
  const held: NativeBlock[] = [];
  try {
    for (const block of blocks) held.push(retained(block, block.length));
  } catch (error) {
    for (const block of held) block.release();
    throw error;
  }
  return held;
}

/**
 * Writes an ASCII head and the bytes of a block from `start` to before `end` to a socket, with one system
 * call and without a copy. Returns how many bytes the kernel has taken (os/socket-write.ts).
 */
export function writeBlockToSocket(
  descriptor: number,
  head: string,
  block: Block,
  start: number,
  end: number,
): number {
  const { address } = asNative(block);
  const bytes = { address: (address + start) as Address, length: end - start };
  return writeToSocket(descriptor, head, '', 'latin1', bytes);
}
