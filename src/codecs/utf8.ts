import { isUtf8 } from 'node:buffer';
import type { TimeSlices } from './time-slices.ts';

/** Bytes that are checked natively at once: a millisecond at most. */
const WINDOW_BYTES = 1 << 20;

/** Whether a text of any length is UTF-8. */
export async function isUtf8Text(text: Buffer, slices: TimeSlices): Promise<boolean> {
  for (let at = 0; at < text.length; ) {
    let end = Math.min(text.length, at + WINDOW_BYTES);
    // Do not split a character: it has at most three continuation bytes.
    for (let back = 0; back < 3 && ((text[end] ?? 0) & 0xc0) === 0x80; back++) end--;
    if (!isUtf8(text.subarray(at, end))) return false;
    at = end;
    const wait = slices.pause();
    if (wait !== undefined) await wait;
  }
  return true;
}

const isHex = (byte: number | undefined): boolean =>
  byte !== undefined &&
  ((byte >= 0x30 && byte <= 0x39) ||
    (byte >= 0x41 && byte <= 0x46) ||
    (byte >= 0x61 && byte <= 0x66));

const SHORT_ESCAPES: ReadonlySet<number | undefined> = new Set(Buffer.from('"\\/bfnrt'));

/** Bytes of the JSON escape whose backslash is at `at`; 0 if it is none. */
export function escapeLength(text: Buffer, at: number): number {
  const kind = text[at + 1];
  if (kind !== 0x75) return SHORT_ESCAPES.has(kind) ? 2 : 0;
  for (let digit = at + 2; digit < at + 6; digit++) if (!isHex(text[digit])) return 0;
  return 6;
}
