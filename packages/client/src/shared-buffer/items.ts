import { checkKey, checkOptions, kindOf, refuse } from '../arguments.ts';
import type { ItemResult } from '../batch/results.ts';
import type { components } from '../generated/api.ts';
import type { PutOutcome } from '../objects.ts';

/** Bytes of the buffer. */
export interface BufferRange {
  readonly offset: number;
  readonly size: number;
}

/** An object and where its bytes are: one range, or its layers in order. */
export type BufferPutEntry =
  | { readonly key: string; readonly offset: number; readonly size: number }
  | { readonly key: string; readonly layers: readonly BufferRange[] };

/** Without `size`, the gateway finds out how large the object is. */
export type BufferGetEntry =
  | { readonly key: string; readonly offset: number; readonly size?: number | undefined }
  | { readonly key: string; readonly layers: readonly BufferRange[] };

/** `copied`: the bytes passed through the memory of the gateway. */
export type BufferPutResult = ItemResult<{ outcome: PutOutcome; size: number; copied: boolean }>;

/** A missing object has no size, and its range is unchanged. */
export type BufferGetResult = ItemResult<{ size: number | undefined; copied: boolean }>;

type PutItem = components['schemas']['BufferPutItem'];
type GetItem = components['schemas']['BufferGetItem'];

export const putReading = {
  of: ({ outcome, size, copied }: PutItem) => ({ outcome, size, copied: copied === true }),
};

export const getReading = {
  of: ({ size, copied }: GetItem): { size: number | undefined; copied: boolean } => ({
    size,
    copied: copied === true,
  }),
  ifMissing: { size: undefined, copied: false },
};

/** @throws TypeError for items of another form, RangeError for bytes outside the buffer */
export function checkItems(items: unknown, needsSize: boolean, bufferBytes: number): void {
  if (!Array.isArray(items)) refuse('items', `must be an array, not ${kindOf(items)}`);
  for (const [at, item] of (items as unknown[]).entries()) {
    const name = `items[${at}]`;
    checkOptions(item ?? null, ['key', 'offset', 'size', 'layers'], name);
    const { key, layers, ...range } = item as Record<string, unknown>;
    checkKey(key, `${name}.key`);
    if (layers === undefined) checkRange(range, needsSize, name, bufferBytes);
    else if (range['offset'] !== undefined || range['size'] !== undefined) {
      refuse(name, 'must have either layers, or an offset');
    } else checkLayerRanges(layers, `${name}.layers`, bufferBytes);
  }
}

function checkLayerRanges(layers: unknown, name: string, bufferBytes: number): void {
  if (!Array.isArray(layers)) refuse(name, `must be an array, not ${kindOf(layers)}`);
  if (layers.length === 0) refuse(name, 'must have at least one layer');
  for (const [at, layer] of (layers as unknown[]).entries()) {
    checkOptions(layer ?? null, ['offset', 'size'], `${name}[${at}]`);
    checkRange(layer as Record<string, unknown>, true, `${name}[${at}]`, bufferBytes);
  }
}

function checkRange(
  { offset, size }: Record<string, unknown>,
  needsSize: boolean,
  name: string,
  bufferBytes: number,
): void {
  checkWhole(offset, `${name}.offset`, 0);
  if (size !== undefined || needsSize) checkWhole(size, `${name}.size`, 1);
  checkInside(offset, size ?? 1, name, bufferBytes);
}

/** A whole number that is exact in JavaScript. */
export function checkWhole(value: unknown, name: string, least: number): asserts value is number {
  if (Number.isSafeInteger(value) && (value as number) >= least) return;
  const given = typeof value === 'number' ? value : kindOf(value);
  refuse(name, `must be a whole number from ${least} on, not ${given}`);
}

export function checkInside(
  offset: number,
  size: unknown,
  name: string,
  bufferBytes: number,
): void {
  // Subtracts, because a sum of large numbers is not exact.
  if (offset <= bufferBytes && (size as number) <= bufferBytes - offset) return;
  throw new RangeError(`${name} must be within the ${bufferBytes} bytes of the buffer`);
}
