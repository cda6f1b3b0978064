import type { Block } from '../abi/types.ts';
import { asNative } from '../arena/native-block.ts';
import type { RegionLibrary } from './region-library.ts';

/** A block of which all bytes are copied, and the block of the same length that gets them. */
export interface BlockCopy {
  readonly from: Block;
  readonly to: Block;
}

const PIECE_BYTES = 24;

/** Copies blocks on libuv's pool, in order. Holds them until the copy has ended. */
export async function copyBlocks(
  library: RegionLibrary,
  copies: readonly BlockCopy[],
): Promise<void> {
  const pieces = Buffer.alloc(copies.length * PIECE_BYTES);
  for (const [n, { from, to }] of copies.entries()) {
    if (from.length !== to.length) throw new RangeError(`${from.length} bytes into ${to.length}`);
    pieces.writeBigUInt64LE(BigInt(asNative(to).address), n * PIECE_BYTES);
    pieces.writeBigUInt64LE(BigInt(asNative(from).address), n * PIECE_BYTES + 8);
    pieces.writeBigUInt64LE(BigInt(from.length), n * PIECE_BYTES + 16);
  }
  const held = copies.flatMap(({ from, to }) => [from, to]);
  for (const block of held) block.retain();
  try {
    await library.copy(pieces, copies.length);
  } finally {
    for (const block of held) block.release();
  }
}
