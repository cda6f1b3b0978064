import { MAX_KEY_BYTES } from '../abi/limits.ts';

/**
 * Space for a key without its NUL. The engine accepts 256 bytes. A longer key is truncated to at least
 * 260 bytes, so that the engine still sees a key that is too long and returns its own code.
 */
export const MAX_ENCODED_KEY_BYTES = 263;

const loneSurrogate = /\p{Surrogate}/u;

/**
 * Writes a key as UTF-8 with a NUL after it; returns the offset after the NUL. Returns −1 if the key
 * contains a NUL or half of a surrogate pair, because the engine would read another key.
 */
export function encodeKey(bytes: Buffer, at: number, key: string): number {
  const length = Math.min(key.length, MAX_ENCODED_KEY_BYTES);
  for (let i = 0; i < length; i++) {
    const unit = key.charCodeAt(i);
    if (unit === 0) return -1;
    if (unit > 0x7f) return encodeUnicode(bytes, at, key);
    bytes[at + i] = unit;
  }
  bytes[at + length] = 0;
  return at + length + 1;
}

function encodeUnicode(bytes: Buffer, at: number, key: string): number {
  if (key.includes('\0') || loneSurrogate.test(key)) return -1;
  const end = at + bytes.write(key, at, MAX_ENCODED_KEY_BYTES, 'utf8');
  bytes[end] = 0;
  return end + 1;
}

/** Whether a key can be stored and found: 1…255 bytes of UTF-8, no NUL, no half surrogate. */
export function isStorable(key: string): boolean {
  if (key.length === 0 || key.length > MAX_KEY_BYTES) return false;
  if (key.includes('\0') || loneSurrogate.test(key)) return false;
  return key.length * 3 <= MAX_KEY_BYTES || Buffer.byteLength(key) <= MAX_KEY_BYTES;
}
