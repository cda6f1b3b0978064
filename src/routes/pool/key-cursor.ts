import { createHash } from 'node:crypto';
import { invalidParameter } from '../../http/request/query.ts';
import { MAX_KEY_BYTES } from '../../native/abi/limits.ts';

const VERSION = 1;
const CHECK_BYTES = 8;
const HEAD_BYTES = 1 + CHECK_BYTES;
/** The engine has keys of one byte more than this API accepts. */
const MAX_CURSOR_KEY_BYTES = MAX_KEY_BYTES + 1;
const FORM = /^[A-Za-z0-9_-]+$/;

/**
 * Names the last key of a page, so that any worker, and any gateway of the pool, finds the next page. The
 * check covers the prefix too. A cursor grants nothing: the page before has shown the key to the client.
 */
export function writeCursor(prefix: Buffer, lastKey: Buffer): string {
  const head = Buffer.from([VERSION]);
  return Buffer.concat([head, checkOf(prefix, lastKey), lastKey]).toString('base64url');
}

/** @throws ProblemError `invalid-parameter` for a text that is no cursor of this prefix */
export function readCursor(text: string, prefix: Buffer): Buffer {
  const bytes = FORM.test(text) ? Buffer.from(text, 'base64url') : Buffer.alloc(0);
  const key = bytes.subarray(HEAD_BYTES);
  const isOurs =
    bytes.length > HEAD_BYTES &&
    key.length <= MAX_CURSOR_KEY_BYTES &&
    bytes[0] === VERSION &&
    checkOf(prefix, key).equals(bytes.subarray(1, HEAD_BYTES)) &&
    bytes.toString('base64url') === text;
  if (isOurs) return key;
  throw invalidParameter(
    'cursor is not the cursor of a page with this prefix. Begin again without it.',
  );
}

const checkOf = (prefix: Buffer, key: Buffer): Buffer =>
  createHash('sha256')
    .update(`key-cursor ${prefix.length}\n`)
    .update(prefix)
    .update(key)
    .digest()
    .subarray(0, CHECK_BYTES);
