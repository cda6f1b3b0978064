import { GatewayError } from './gateway-error.ts';

/** Bytes from `start` to before `end`. */
export interface ByteRange {
  readonly start: number;
  readonly end?: number | undefined;
}

/** Throws RangeError for an empty range, which no header can express, and for other numbers than whole ones. */
export function requireRange({ start, end }: ByteRange): void {
  for (const [name, value] of Object.entries({ start, end: end ?? start })) {
    if (Number.isSafeInteger(value) && value >= 0) continue;
    throw new RangeError(`options.range.${name} is ${value}, but must be a whole number from 0 on`);
  }
  if (end === undefined || end > start) return;
  throw new RangeError(`the range from ${start} to ${end} is empty`);
}

export function rangeHeader(range: ByteRange): string {
  requireRange(range);
  const { start, end } = range;
  return end === undefined ? `bytes=${start}-` : `bytes=${start}-${end - 1}`;
}

/** The range of a complete object. Throws the gateway's error if the range is outside the object. */
export function partOf(value: Uint8Array, { start, end }: ByteRange): Uint8Array {
  if (start < value.length) return value.slice(start, end);
  throw new GatewayError({
    problem: 'range-not-satisfiable',
    status: 416,
    detail: `The object has ${value.length} bytes.`,
    retryable: false,
  });
}
