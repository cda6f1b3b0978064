import type { Block } from '../../native/abi/types.ts';
import type { Extent } from './buffer-items.ts';

/** An object that is to be read. */
export interface Wanted {
  readonly index: number;
  readonly key: string;
  readonly extent: Extent;
  /** An object of another size does not fit the layers. */
  readonly hasLayers: boolean;
  /** Bytes to read: those of the range, or of the object where they have been queried. */
  size: number;
  /** In the buffer, or in the arena. */
  block: Block | undefined;
  isCopied: boolean;
}

/** Whether each object lies behind the one before, as in nearly all requests: then none overlaps another. */
export function areInOrder(wanted: readonly Wanted[]): boolean {
  let end = 0;
  for (const { extent, size } of wanted) {
    for (const piece of shortened(extent, size).pieces) {
      if (piece.offset < end) return false;
      end = piece.offset + piece.size;
    }
  }
  return true;
}

/** The objects that lie in the range of another, which is read. */
export function overlapping(wanted: readonly Wanted[]): ReadonlySet<Wanted> {
  const places = wanted.flatMap((one) =>
    shortened(one.extent, one.size).pieces.map(({ offset, size }) => ({ offset, size, one })),
  );
  places.sort((a, b) => a.offset - b.offset || a.one.index - b.one.index);
  const refused = new Set<Wanted>();
  let end = 0;
  for (const { offset, size, one } of places) {
    if (offset < end) refused.add(one);
    if (!refused.has(one)) end = offset + size;
  }
  return refused;
}

/** An object that is shorter than its range. */
export const shortened = (extent: Extent, size: number): Extent =>
  size === extent.bytes
    ? extent
    : { pieces: [{ offset: extent.pieces[0]?.offset ?? 0, size }], bytes: size };
