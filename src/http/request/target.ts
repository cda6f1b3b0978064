import { ProblemError } from '../../errors/problems.ts';
import { MAX_KEY_BYTES } from '../../native/abi/limits.ts';

/** Longer request targets get 414: a fully encoded key takes 765 characters, the rest is query. */
export const MAX_TARGET_LENGTH = 8192;

/** A raw request target cut at the first `?`. Nothing is decoded, collapsed or resolved. */
export interface Target {
  readonly path: string;
  readonly query: string;
}

/**
 * Cuts a request target, in origin or absolute form (RFC 9112 §3.2), as the client sent it. The scheme is
 * ignored, as Express does: otherwise a check of the path would miss a path that Express serves.
 */
export function parseTarget(target: string): Target {
  const origin = target.charCodeAt(0) === 0x2f ? target : withoutAuthority(target);
  const mark = origin.indexOf('?');
  return mark < 0
    ? { path: origin, query: '' }
    : { path: origin.slice(0, mark), query: origin.slice(mark + 1) };
}

/**
 * The authority of a target in absolute form, which counts in place of Host (RFC 9112 §3.2.2),
 * whatever its scheme: Express looks at none.
 */
export const authorityOf = (target: string): string | undefined =>
  /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i.exec(target)?.[1];

function withoutAuthority(target: string): string {
  const match = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i.exec(target);
  if (match === null) return target;
  const rest = target.slice(match[0].length);
  return rest.startsWith('/') ? rest : `/${rest}`;
}

const PLAIN_KEY = /^[!-"$&-~]+$/;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * The key after a route's prefix, percent-encoded or raw. A raw `/` belongs to it.
 * Throws `invalid-key` when it is empty, too long, not UTF-8, or has control bytes.
 */
export function decodeKey(raw: string): string {
  if (raw.length <= MAX_KEY_BYTES && PLAIN_KEY.test(raw)) return raw;
  const bytes = percentDecode(raw);
  if (bytes.length === 0) throw invalidKey('The key is empty; it needs 1 to 255 bytes.');
  if (bytes.length > MAX_KEY_BYTES) {
    throw invalidKey(`The key has ${bytes.length} bytes; at most ${MAX_KEY_BYTES} are allowed.`);
  }
  for (const byte of bytes) {
    if (byte < 0x20 || byte === 0x7f) {
      throw invalidKey(`The key has the control byte 0x${byte.toString(16).padStart(2, '0')}.`);
    }
  }
  try {
    return utf8.decode(bytes);
  } catch {
    throw invalidKey('The key is not valid UTF-8 after percent-decoding.');
  }
}

/** Node gives the target as latin1, so each character is one received byte. */
function percentDecode(raw: string): Buffer {
  const bytes = Buffer.allocUnsafe(raw.length);
  let length = 0;
  for (let at = 0; at < raw.length; at++) {
    const unit = raw.charCodeAt(at);
    if (unit === 0x23) throw invalidKey('A raw # is not allowed in a key: send it as %23.');
    if (unit !== 0x25) {
      bytes[length++] = unit;
      continue;
    }
    const hex = raw.slice(at + 1, at + 3);
    if (!/^[0-9A-Fa-f]{2}$/.test(hex)) {
      throw invalidKey('A % in the path is not followed by two hexadecimal digits: send %25.');
    }
    bytes[length++] = Number.parseInt(hex, 16);
    at += 2;
  }
  return bytes.subarray(0, length);
}

const invalidKey = (detail: string): ProblemError => new ProblemError('invalid-key', { detail });

const DOT_SEGMENT = /(?:^|\/)\.\.?(?:\/|$)/;

/** Keys that need no encoding: most, and recognized at a tenth of the cost. */
const UNRESERVED_KEY = /^[A-Za-z0-9_~-]+$/;

/** The key in the form for a path: percent-encoded, with readable slashes where that is safe. */
export function encodeKey(key: string): string {
  if (UNRESERVED_KEY.test(key)) return key;
  const encoded = encodeURIComponent(key);
  // URL libraries resolve dot segments, encoded dots too (RFC 3986 §6.2.2.3): an encoded slash makes
  // them a part of a longer segment. Only the keys `.` and `..` have no form that survives.
  return DOT_SEGMENT.test(key) ? encoded : encoded.replaceAll('%2F', '/');
}
