import { isUtf8 } from 'node:buffer';
import { withTextHold } from '../../http/body/text-hold.ts';
import { JSON_TYPE, requireAcceptable } from '../../http/request/media-type.ts';
import { invalidParameter, parseQuery, wholeNumber } from '../../http/request/query.ts';
import { respondJson } from '../../http/response/respond.ts';
import { authorizePrefix } from '../../http/security/authorize.ts';
import { MAX_KEY_BYTES } from '../../native/abi/limits.ts';
import type { Handler } from '../handler.ts';
import { requirePool } from './cluster.ts';
import { readCursor, writeCursor } from './key-cursor.ts';

const MOST_KEYS = 1000;
const DEFAULT_KEYS = 100;
/** Bytes of the JavaScript heap for each key of a page: its bytes, its text and its part of the response. */
export const KEY_BYTES = 1024;
const CONTROL = /[\u0000-\u001f\u007f]/;

/** GET /v1/keys. */
export const listKeys: Handler = (exchange) => {
  const query = parseQuery(exchange.query, ['prefix', 'limit', 'cursor']);
  requireAcceptable(exchange.req, JSON_TYPE);
  const prefix = readPrefix(query.prefix, exchange.query);
  authorizePrefix(exchange, query.prefix ?? '');
  const limit =
    query.limit === undefined ? DEFAULT_KEYS : wholeNumber('limit', query.limit, 1, MOST_KEYS);
  const after = query.cursor === undefined ? Buffer.alloc(0) : readCursor(query.cursor, prefix);
  const pool = requirePool(exchange);
  return withTextHold(exchange, async (hold) => {
    // A page that does not fit into the memory of one client is shorter; the cursor leads to the rest.
    const most = Math.min(limit, Math.floor(hold.most / KEY_BYTES));
    hold.take(most * KEY_BYTES);
    const page = { prefix, after, limit: most };
    const { keys, more } = await pool.keys(page, exchange.req.socket);
    const texts: string[] = [];
    const binaryKeys: string[] = [];
    for (const key of keys) {
      if (isNameable(key)) texts.push(key.toString());
      else binaryKeys.push(key.toString('base64'));
    }
    const last = more ? keys.at(-1) : undefined;
    respondJson(exchange, {
      keys: texts,
      ...(binaryKeys.length === 0 ? {} : { binaryKeys }),
      ...(last === undefined ? {} : { cursor: writeCursor(prefix, last) }),
    });
  });
};

/** The bytes that keys must begin with. `raw` is the query: a text that is decoded has lost invalid UTF-8. */
export function readPrefix(text: string | undefined, raw: string): Buffer {
  if (text === undefined) return Buffer.alloc(0);
  const prefix = Buffer.from(text);
  if (prefix.length > MAX_KEY_BYTES) {
    throw invalidParameter(
      `prefix has ${prefix.length} bytes; at most ${MAX_KEY_BYTES} are allowed.`,
    );
  }
  if (CONTROL.test(text)) throw invalidParameter('prefix has a control character.');
  if (text.includes('\uFFFD') && !/%EF%BF%BD/i.test(raw)) {
    throw invalidParameter('prefix is not percent-encoded UTF-8.');
  }
  return prefix;
}

/** Whether a path or a batch can name the key. */
export const isNameable = (key: Buffer): boolean =>
  key.length <= MAX_KEY_BYTES && isUtf8(key) && !CONTROL.test(key.toString('latin1'));
