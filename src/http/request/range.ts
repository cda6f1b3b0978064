/** First byte, and the byte after the last. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

const SINGLE = /^bytes[ \t]*=[ \t]*(?:(\d+)-(\d*)|-(\d+))[ \t]*$/i;

/**
 * Reads a Range header against an object of `length` bytes (RFC 9110 §14). Undefined means that the
 * header is to be ignored: another unit, a form that is no range, or several ranges, for which a server
 * may send the whole (§14.2). `unsatisfiable` gets 416.
 */
export function parseRange(
  header: string,
  length: number,
): ByteRange | 'unsatisfiable' | undefined {
  const match = SINGLE.exec(header);
  if (match === null) return undefined;
  const [, first, last, suffix] = match;
  if (suffix !== undefined) {
    const count = Math.min(Number(suffix), length);
    return count === 0 ? 'unsatisfiable' : { start: length - count, end: length };
  }
  const start = Number(first);
  if (last === undefined || last === '') {
    return start < length ? { start, end: length } : 'unsatisfiable';
  }
  // A last position before the first makes the header invalid, not unsatisfiable (§14.1.1).
  if (Number(last) < start) return undefined;
  return start < length ? { start, end: Math.min(Number(last) + 1, length) } : 'unsatisfiable';
}
