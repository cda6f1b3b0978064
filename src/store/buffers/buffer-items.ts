import { ProblemError } from '../../errors/problems.ts';
import type { Block } from '../../native/abi/types.ts';
import type { BlockCopy } from '../../native/regions/copy-blocks.ts';
import type { Transfer } from '../../native/regions/region.ts';
import type { WriteOutcome } from '../object-store.ts';

/** Bytes of a buffer. */
export interface BufferRange {
  readonly offset: number;
  /** Undefined: all bytes from `offset` on. Only the one range of a get may be so. */
  readonly size: number | undefined;
}

/** An object, and where its bytes are in the buffer: one range, or its layers in order. */
export interface BufferItem {
  readonly key: string;
  readonly ranges: readonly BufferRange[];
  readonly hasLayers: boolean;
}

/** What became of an item. */
export interface BufferOutcome {
  result: WriteOutcome | 'read' | ProblemError | undefined;
  /** Of the object, where it is known. */
  size: number | undefined;
  /** Whether the bytes passed through the arena. */
  isCopied: boolean;
}

/** Ranges in a buffer that is large enough for them, as few as possible. */
export interface Extent {
  readonly pieces: readonly { readonly offset: number; readonly size: number }[];
  readonly bytes: number;
}

/** Layers that lie one after another become one piece. Returns a problem for bytes outside the buffer. */
export function extentOf({ ranges }: BufferItem, bufferBytes: number): Extent | ProblemError {
  const pieces: { offset: number; size: number }[] = [];
  let last: { offset: number; size: number } | undefined;
  let bytes = 0;
  for (const { offset, size: wanted } of ranges) {
    const size = wanted ?? bufferBytes - offset;
    // Subtracts, because a sum of large numbers is not exact.
    if (
      offset > bufferBytes ||
      size > bufferBytes - offset ||
      (wanted === undefined && size === 0)
    ) {
      return outside(offset, wanted, bufferBytes);
    }
    if (last !== undefined && last.offset + last.size === offset) last.size += size;
    else {
      last = { offset, size };
      pieces.push(last);
    }
    bytes += size;
  }
  return { pieces, bytes };
}

const outside = (offset: number, size: number | undefined, bufferBytes: number): ProblemError => {
  const wanted = size === undefined ? `offset ${offset}` : `${size} bytes from offset ${offset} on`;
  return new ProblemError('buffer-range', {
    detail: `The buffer has ${bufferBytes} bytes, which do not include ${wanted}.`,
  });
};

/** The copies between a block of the arena and its pieces in the buffer. The caller releases their blocks. */
export function copiesOf(
  transfer: Transfer,
  { pieces }: Extent,
  whole: Block,
  direction: 'gather' | 'scatter',
): BlockCopy[] {
  let at = 0;
  return pieces.map(({ offset, size }) => {
    const inBuffer = transfer.block(offset, size);
    const inArena = whole.slice(at, size);
    at += size;
    return direction === 'gather'
      ? { from: inBuffer, to: inArena }
      : { from: inArena, to: inBuffer };
  });
}

export function releaseCopies(copies: readonly BlockCopy[]): void {
  for (const { from, to } of copies) {
    from.release();
    to.release();
  }
}
