import { ProblemError } from '../../errors/problems.ts';
import type { Exchange } from '../../http/exchange.ts';
import { isConditional } from '../../http/request/conditional.ts';
import { reprDigest, wantedDigest } from '../../http/request/digest.ts';
import { requireAcceptable } from '../../http/request/media-type.ts';
import { parseQuery } from '../../http/request/query.ts';
import { parseRange } from '../../http/request/range.ts';
import { addAttachment } from '../../http/response/disposition.ts';
import { type HeaderList, OCTETS, objectHeaders } from '../../http/response/headers.ts';
import { respondBlock } from '../../http/response/respond.ts';
import type { Block } from '../../native/abi/types.ts';
import type { Handler } from '../handler.ts';
import { isNotModified } from './not-modified.ts';

/** GET /v1/objects/{key}: the bytes, all or a single range of them. */
export const getObject: Handler = (exchange) => {
  const { gateway, req, key, query } = exchange;
  if (query !== '') parseQuery(query, []);
  requireAcceptable(req, OCTETS);
  if (isConditional(req.headers)) return getConditionally(exchange);
  const read = gateway.store.read(key, req.socket);
  return read instanceof Promise
    ? read.then((block) => send(exchange, block))
    : send(exchange, read);
};

async function getConditionally(exchange: Exchange): Promise<void> {
  if (await isNotModified(exchange)) return;
  const { gateway, req, key } = exchange;
  await send(exchange, await gateway.store.read(key, req.socket));
}

/** Sends the block, or the range of it that the client wants, and releases it. */
function send(exchange: Exchange, block: Block): void | Promise<void> {
  const wanted = exchange.req.headers['want-repr-digest'] as string | undefined;
  const algorithm = wanted === undefined ? undefined : wantedDigest(wanted);
  if (algorithm === undefined) return sendRange(exchange, block, []);
  return reprDigest(algorithm, block.view, () => exchange.res.closed).then(
    (digest) => sendRange(exchange, block, ['Repr-Digest', digest]),
    (error: unknown) => {
      block.release();
      throw error;
    },
  );
}

function sendRange(exchange: Exchange, block: Block, headers: HeaderList): void {
  const asked = exchange.req.headers;
  const total = block.length;
  // The gateway offers no validators, so an If-Range never matches: the client gets the whole object
  // (RFC 9110 §13.1.5).
  const range =
    asked.range === undefined || asked['if-range'] !== undefined
      ? undefined
      : parseRange(asked.range, total);
  if (range === 'unsatisfiable') {
    block.release();
    throw new ProblemError('range-not-satisfiable', {
      detail: `The object has ${total} bytes.`,
      headers: { 'Content-Range': `bytes */${total}` },
    });
  }
  const start = range === undefined ? 0 : range.start;
  const end = range === undefined ? total : range.end;
  if (range !== undefined) headers.push('Content-Range', `bytes ${start}-${end - 1}/${total}`);
  addAttachment(headers, exchange.key);
  const status = range === undefined ? 200 : 206;
  respondBlock(exchange, { status, fixed: objectHeaders, headers }, block, start, end);
}
