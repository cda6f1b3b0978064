import { MAX_LAYERS } from '../../config/layouts.ts';
import { ProblemError } from '../../errors/problems.ts';
import { ItemProblems } from '../item-problems.ts';
import type { ReadPlan } from '../read-objects.ts';

/** One layer of an object: its number, offset and length. */
export interface Layer {
  readonly number: number;
  readonly start: number;
  readonly bytes: number;
}

/**
 * How an object is divided into layers. The engine does not store the sizes of layers
 * (docs/engine-facts.md §1), so each request names them.
 */
export interface LayerCut {
  /** Of the whole object. */
  readonly totalBytes: number;
  /** The requested layers, in the requested order. */
  readonly selected: readonly Layer[];
}

/** Layers of these sizes, one behind the other. */
export function layersOf(sizes: readonly number[]): Layer[] {
  let start = 0;
  return sizes.map((bytes, number) => {
    const layer = { number, start, bytes };
    start += bytes;
    return layer;
  });
}

export const sumOf = (sizes: readonly number[]): number =>
  sizes.reduce((sum, bytes) => sum + bytes, 0);

/** @throws ProblemError `layers-mismatch` unless an object of `bytes` bytes has these layers */
export function requireCut(cut: LayerCut, bytes: number): void {
  const mismatch = cutMismatch(cut, bytes);
  if (mismatch !== undefined) throw mismatch;
}

const cutMismatch = ({ totalBytes }: LayerCut, bytes: number): ProblemError | undefined =>
  bytes === totalBytes
    ? undefined
    : layersMismatch(
        `The layers have ${totalBytes} bytes together, and the object has ${bytes}.`,
        totalBytes,
        bytes,
      );

/** Sets the problem of each object of `indexes` whose size is not that of the layers. */
export function judgeCut(plan: ReadPlan, cut: LayerCut, indexes: Iterable<number>): void {
  const itemProblems = new ItemProblems();
  for (const index of indexes) {
    if (plan.problems.has(index)) continue;
    const mismatch = cutMismatch(cut, plan.sizes[index] as number);
    if (mismatch === undefined) continue;
    plan.problems.set(index, itemProblems.share(mismatch));
    plan.sizes[index] = 0;
  }
}

export const layersMismatch = (
  detail: string,
  expectedBytes: number,
  actualBytes: number,
): ProblemError =>
  new ProblemError('layers-mismatch', { detail, members: { expectedBytes, actualBytes } });

export const tooManyLayers = (): ProblemError =>
  new ProblemError('invalid-body', {
    detail: `The body has more than ${MAX_LAYERS} layers for one object.`,
  });

export const emptyLayer = (number: number): ProblemError =>
  new ProblemError('invalid-body', {
    detail: `Layer ${number} is empty; a layer has at least one byte.`,
  });
