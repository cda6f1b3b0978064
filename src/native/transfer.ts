import type { NativeBlock } from './native-block.ts';
import { asNative, sliceBlock } from './native-block.ts';
import type { RegisteredBuffers } from './registered-buffers.ts';
import type { Arena, Block } from './types.ts';

/** Bytes of a caller: its own memory, or a block of the arena. */
export type Bytes = Uint8Array | Block;

/** One object on its way: where the engine can reach it as it lies, or the pieces to be copied. */
export interface Transfer {
  readonly length: number;
  readonly direct: NativeBlock | undefined;
  readonly pieces: readonly Uint8Array[];
}

/**
 * An object of one piece or of several layers, which the engine stores one after another. One piece
 * that is a block, or lies in registered memory, is used in place; all else goes through the arena,
 * which is registered, since the engine's way for other memory is slow and small (engine.md §2).
 */
export function transferOf(pieces: readonly Bytes[], registered: RegisteredBuffers): Transfer {
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const [only] = pieces;
  const direct = pieces.length === 1 && only !== undefined ? inPlace(only, registered) : undefined;
  const buffers = pieces.map((piece) => (piece instanceof Uint8Array ? piece : piece.view));
  return { length, direct, pieces: buffers };
}

function inPlace(piece: Bytes, registered: RegisteredBuffers): NativeBlock | undefined {
  if (!(piece instanceof Uint8Array)) return asNative(piece);
  return registered.inPlace(piece);
}

const GRANULE_BYTES = 64;

function stagedBytes({ direct, length }: Transfer): number {
  return direct === undefined ? Math.ceil(length / GRANULE_BYTES) * GRANULE_BYTES : 0;
}

/**
 * Runs an engine call on blocks for the transfers. All that must be copied shares one block of the
 * arena, so that nobody waits for room while holding some; `use` may copy out of the blocks.
 */
export async function withBlocks<Result>(
  transfers: readonly Transfer[],
  arena: Arena,
  waitMs: number,
  use: (blocks: NativeBlock[]) => Promise<Result>,
): Promise<Result> {
  const total = transfers.reduce((sum, transfer) => sum + stagedBytes(transfer), 0);
  const staging =
    total > 0 ? asNative(await arena.allocate(total, { deadlineMs: waitMs })) : undefined;
  const slices: Block[] = [];
  try {
    let offset = 0;
    const blocks = transfers.map((transfer) => {
      if (transfer.direct !== undefined || staging === undefined)
        return transfer.direct as NativeBlock;
      const slice = sliceBlock(staging, offset, transfer.length);
      offset += stagedBytes(transfer);
      slices.push(slice);
      return slice;
    });
    return await use(blocks);
  } finally {
    for (const slice of slices) slice.release();
    staging?.release();
  }
}

/** Gathers the pieces of a staged object into its block, before a put. */
export function copyIn({ direct, pieces }: Transfer, block: NativeBlock): void {
  if (direct !== undefined) return;
  let at = block.start;
  for (const piece of pieces) {
    block.memory.set(piece, at);
    at += piece.length;
  }
}

/** Scatters a staged object from its block into the pieces, after a get. */
export function copyOut({ direct, pieces }: Transfer, block: NativeBlock): void {
  if (direct !== undefined) return;
  let at = block.start;
  for (const piece of pieces) {
    piece.set(block.memory.subarray(at, at + piece.length));
    at += piece.length;
  }
}

/**
 * Cuts a batch so that no engine call has more than `maxKeys` and, unless one object alone does, none
 * stages more than `maxBytes`. Gives the end of each part.
 */
export function partEnds(
  transfers: readonly Transfer[],
  maxKeys: number,
  maxBytes: number,
): number[] {
  const ends: number[] = [];
  let keys = 0;
  let bytes = 0;
  transfers.forEach((transfer, index) => {
    const more = stagedBytes(transfer);
    if (keys > 0 && (keys === maxKeys || bytes + more > maxBytes)) {
      ends.push(index);
      keys = 0;
      bytes = 0;
    }
    keys++;
    bytes += more;
  });
  if (transfers.length > 0) ends.push(transfers.length);
  return ends;
}
