import { ProblemError } from '../../errors/problems.ts';
import type { TimeSlices } from '../time-slices.ts';
import { escapeLength } from '../utf8.ts';

const BACKSLASH = 0x5c;
const SLASH = 0x2f;
const LETTER_U = 0x75;
/** A multiple of 4, so that a piece of base64 is valid base64 too. */
const PIECE_CHARACTERS = 64 * 1024;
const WHOLE = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/**
 * Removes the escapes from the strings of a JSON body and verifies that they are base64 (RFC 4648 §4,
 * padded, without line breaks; Node would ignore anything else). Some writers escape slashes, and some
 * the signs = and +. The bytes move within the body, so no copy is made. Rejects with `invalid-body`;
 * `where` names the values.
 */
export async function plainBase64(
  raws: readonly Buffer[],
  where: string,
  slices: TimeSlices,
): Promise<readonly Buffer[]> {
  const plain: Buffer[] = [];
  for (const raw of raws) {
    const base64 = await unescaped(raw, where, slices);
    await requireBase64(base64, where, slices);
    plain.push(base64);
    // An empty string has no piece after which other work pauses.
    const wait = slices.pause();
    if (wait !== undefined) await wait;
  }
  return plain;
}

async function unescaped(raw: Buffer, where: string, slices: TimeSlices): Promise<Buffer> {
  let to = 0;
  for (let at = 0; at < raw.length; ) {
    const end = Math.min(raw.length, at + PIECE_CHARACTERS);
    if (to === at && !raw.subarray(at, end).includes(BACKSLASH)) {
      at = end;
      to = end;
    }
    for (; at < end; at++) {
      const byte = raw[at] as number;
      if (byte !== BACKSLASH) {
        raw[to++] = byte;
        continue;
      }
      const bytes = escapeLength(raw, at);
      const code = bytes === 6 ? codeOf(raw, at) : raw[at + 1] === SLASH ? SLASH : undefined;
      if (code === undefined || code > 0x7f) throw notBase64(where);
      raw[to++] = code;
      at += bytes - 1;
    }
    const wait = slices.pause();
    if (wait !== undefined) await wait;
  }
  return raw.subarray(0, to);
}

const hexDigit = (byte: number): number => (byte <= 0x39 ? byte - 0x30 : (byte | 0x20) - 0x57);

/** The value of an escape such as \u003d. */
function codeOf(raw: Buffer, at: number): number | undefined {
  if (raw[at + 1] !== LETTER_U) return undefined;
  let code = 0;
  for (let digit = at + 2; digit < at + 6; digit++) {
    code = code * 16 + hexDigit(raw[digit] as number);
  }
  return code;
}

async function requireBase64(base64: Buffer, where: string, slices: TimeSlices): Promise<void> {
  const last = base64.length - PIECE_CHARACTERS;
  for (let at = 0; at < base64.length; at += PIECE_CHARACTERS) {
    const piece = base64.toString('latin1', at, Math.min(base64.length, at + PIECE_CHARACTERS));
    if (!WHOLE.test(piece) || (at < last && piece.endsWith('='))) throw notBase64(where);
    const wait = slices.pause();
    if (wait !== undefined) await wait;
  }
}

const notBase64 = (where: string): ProblemError =>
  new ProblemError('invalid-body', {
    detail: `A value in ${where} is not base64: send the standard alphabet with padding and no other characters.`,
  });

/** Bytes that base64 of this length encodes. */
export function decodedBytes(base64: Buffer): number {
  const { length } = base64;
  if (length === 0) return 0;
  const padding = base64[length - 1] !== 0x3d ? 0 : base64[length - 2] === 0x3d ? 2 : 1;
  return (length / 4) * 3 - padding;
}

/** The bytes of a value, one piece at a time. */
export function* decodePieces(base64: Buffer): Generator<Buffer> {
  for (let at = 0; at < base64.length; at += PIECE_CHARACTERS) {
    const end = Math.min(base64.length, at + PIECE_CHARACTERS);
    yield Buffer.from(base64.toString('latin1', at, end), 'base64');
  }
}
