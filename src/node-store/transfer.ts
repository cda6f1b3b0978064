import type { Arena, Block } from '../native/abi/types.ts';
import type { RegisteredBuffers } from '../native/arena/registered-buffers.ts';

/** Bytes of a caller: its own memory, or a block of the arena. */
export type Bytes = Uint8Array | Block;

/** One object in transfer: memory that the engine can use in place, or the pieces to copy. */
export interface Transfer {
  readonly length: number;
  readonly direct: Block | undefined;
  readonly pieces: readonly Uint8Array[];
}

/**
 * An object of one piece, or of several layers that the engine stores in sequence. One piece that is a
 * block, or is inside registered memory, is used in place. Everything else is copied through the arena,
 * which is registered: the engine's path for other memory is slow and small (docs/engine-facts.md §8).
 */
export function transferOf(pieces: readonly Bytes[], registered: RegisteredBuffers): Transfer {
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const [only] = pieces;
  const direct = pieces.length === 1 && only !== undefined ? inPlace(only, registered) : undefined;
  const buffers = pieces.map((piece) => (piece instanceof Uint8Array ? piece : piece.view));
  return { length, direct, pieces: buffers };
}

function inPlace(piece: Bytes, registered: RegisteredBuffers): Block | undefined {
  return piece instanceof Uint8Array ? registered.inPlace(piece) : piece;
}

const GRANULE_BYTES = 64;

/** Bytes that a transfer takes of the arena. */
export function stagedBytes({ direct, length }: Transfer): number {
  return direct === undefined ? Math.ceil(length / GRANULE_BYTES) * GRANULE_BYTES : 0;
}

/**
 * Runs an engine call on blocks for the transfers. All copies share one block of the arena; otherwise
 * callers that hold a block could wait for each other. `use` may copy out of the blocks.
 */
export async function withBlocks<Result>(
  transfers: readonly Transfer[],
  arena: Arena,
  waitMs: number,
  use: (blocks: Block[]) => Promise<Result>,
): Promise<Result> {
  const total = transfers.reduce((sum, transfer) => sum + stagedBytes(transfer), 0);
  const staging = total > 0 ? await arena.allocate(total, { deadlineMs: waitMs }) : undefined;
  const slices: Block[] = [];
  try {
    let offset = 0;
    const blocks = transfers.map((transfer) => {
      if (transfer.direct !== undefined || staging === undefined) return transfer.direct as Block;
      const slice = staging.slice(offset, transfer.length);
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

/** Copies the pieces of an object into its block, before a put. */
export function copyIn({ direct, pieces }: Transfer, block: Block): void {
  if (direct !== undefined) return;
  const { view } = block;
  let at = 0;
  for (const piece of pieces) {
    view.set(piece, at);
    at += piece.length;
  }
}

/** Copies an object from its block into the pieces, after a get. */
export function copyOut({ direct, pieces }: Transfer, block: Block): void {
  if (direct !== undefined) return;
  const { view } = block;
  let at = 0;
  for (const piece of pieces) {
    piece.set(view.subarray(at, at + piece.length));
    at += piece.length;
  }
}
