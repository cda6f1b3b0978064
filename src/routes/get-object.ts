import type { IncomingHttpHeaders } from 'node:http';
import { ProblemError } from '../errors.ts';
import { requireAcceptable } from '../http/accept.ts';
import { evaluateConditions, isConditional } from '../http/conditional.ts';
import { reprDigest, wantedDigest } from '../http/digest.ts';
import type { Exchange, Gateway } from '../http/exchange.ts';
import { isolationHeaders } from '../http/isolation.ts';
import { parseQuery } from '../http/query.ts';
import { parseRange } from '../http/range.ts';
import { type HeaderList, respond } from '../http/respond.ts';
import { decodeKey } from '../http/target.ts';
import { transmit } from '../http/transmit.ts';
import type { Block } from '../native/types.ts';
import { fixedHeaders } from '../node-internals/one-write.ts';
import type { Handler } from './handler.ts';

export const OCTETS = 'application/octet-stream';

/** In the head of every answer about an object's bytes, besides their length. */
export const octetFields: HeaderList = [
  ...['Content-Type', OCTETS, 'Accept-Ranges', 'bytes'],
  ...['Cache-Control', 'no-store', 'X-Content-Type-Options', 'nosniff'],
];
const octetHeaders = fixedHeaders([...octetFields, ...isolationHeaders]);

/** GET /v1/objects/{key}: the bytes, whole or a single range of them. */
export const getObject: Handler = (gateway, exchange, raw, query) => {
  const key = decodeKey(raw);
  exchange.key = key;
  if (query !== '') parseQuery(query, []);
  const { headers } = exchange.req;
  requireAcceptable(exchange.req, OCTETS);
  if (isConditional(headers)) return getConditionally(gateway, exchange, key);
  const read = gateway.store.read(key, exchange.req.socket);
  if (read instanceof Promise) return read.then((block) => answer(gateway, exchange, block));
  return answer(gateway, exchange, read);
};

async function getConditionally(gateway: Gateway, exchange: Exchange, key: string): Promise<void> {
  const exists = await gateway.store.exists(key);
  if (evaluateConditions(exchange.req.headers, 'GET', exists) === 'not-modified') {
    respond(gateway, exchange, 304, ['Cache-Control', 'no-store']);
    return;
  }
  await answer(gateway, exchange, await gateway.store.read(key, exchange.req.socket));
}

/** Owns the block from here: it is transmitted, which releases it, or released. */
function answer(gateway: Gateway, exchange: Exchange, block: Block): void | Promise<void> {
  const { headers } = exchange.req;
  const digest = wantedDigest(headers['want-repr-digest'] as string | undefined);
  if (digest !== undefined) {
    return reprDigest(digest, block.view, () => exchange.res.closed).then(
      (value) => send(gateway, exchange, block, headers, value),
      (error: unknown) => {
        block.release();
        throw error;
      },
    );
  }
  send(gateway, exchange, block, headers, undefined);
}

function send(
  gateway: Gateway,
  exchange: Exchange,
  block: Block,
  headers: IncomingHttpHeaders,
  digest: string | undefined,
): void {
  const total = block.length;
  // No validators are offered, so an If-Range never matches: the whole object (RFC 9110 §13.1.5).
  const range =
    headers.range === undefined || headers['if-range'] !== undefined
      ? undefined
      : parseRange(headers.range, total);
  if (range === 'unsatisfiable') {
    block.release();
    throw new ProblemError('range-not-satisfiable', {
      detail: `The object has ${total} bytes.`,
      headers: { 'Content-Range': `bytes */${total}` },
    });
  }
  const { start, end } = range ?? { start: 0, end: total };
  const head: HeaderList = ['Content-Length', String(end - start)];
  if (digest !== undefined) head.push('Repr-Digest', digest);
  if (range === undefined) {
    transmit(gateway, exchange, 200, octetHeaders, head, block, start, end);
    return;
  }
  head.push('Content-Range', `bytes ${start}-${end - 1}/${total}`);
  transmit(gateway, exchange, 206, octetHeaders, head, block, start, end);
}
