import { type ItemForm, itemCounter } from '../codecs/item-cost.ts';
import { readKeys } from '../codecs/json-request.ts';
import type { Results } from '../codecs/json-results.ts';
import { resultsText } from '../codecs/json-results.ts';
import { TimeSlices } from '../codecs/time-slices.ts';
import { BodyWriter } from '../http/body-writer.ts';
import { refuseCodings } from '../http/codings.ts';
import { digestOf, verifyWhole } from '../http/digest.ts';
import type { Exchange, Gateway } from '../http/exchange.ts';
import { JSON_TYPE, negotiate, requireMediaType } from '../http/media-type.ts';
import { parseQuery } from '../http/query.ts';
import { withText } from '../http/receive-text.ts';
import { type HeaderList, respond } from '../http/respond.ts';
import type { TextHold } from '../http/text-hold.ts';
import type { Caller } from '../store/arena-room.ts';
import type { Handler } from './handler.ts';

/** Bytes of a response that may wait for a slow client before more of it is made (item-cost.ts). */
const AHEAD_BYTES = 64 * 1024;

/** The head of every answer to a batch; `failed` where it is known. */
export function batchHead(contentType: string, failed: number | undefined): HeaderList {
  const head = ['Content-Type', contentType, 'Vary', 'Accept', 'Cache-Control', 'no-store'];
  head.push('X-Content-Type-Options', 'nosniff');
  if (failed !== undefined) head.push('Batch-Failed', String(failed));
  return head;
}

/** An operation on keys alone, whose answer has no bytes: JSON in, JSON out. */
export function keysHandler(
  form: ItemForm,
  ask: (gateway: Gateway, keys: readonly string[], caller: Caller) => Promise<Results>,
): Handler {
  return (gateway, exchange, _raw, query) => {
    parseQuery(query, []);
    negotiate(exchange.req, [JSON_TYPE]);
    return withJson(gateway, exchange, async (text, hold) => {
      const { batchKeys } = gateway.limits;
      const keys = await readKeys(text, batchKeys, itemCounter(hold, form));
      await respondResults(gateway, exchange, await ask(gateway, keys, exchange.req.socket));
    });
  };
}

/** Receives a request that can only be JSON, whole and as its Content-Digest says. */
export function withJson(
  gateway: Gateway,
  exchange: Exchange,
  use: (text: Buffer, hold: TextHold) => Promise<void>,
): Promise<void> {
  refuseCodings(exchange);
  requireMediaType(exchange.req, [JSON_TYPE]);
  const digest = digestOf(exchange);
  return withText(gateway, exchange, async (text, hold) => {
    await verifyWhole(digest, text);
    await use(text, hold);
  });
}

export async function respondResults(
  gateway: Gateway,
  exchange: Exchange,
  results: Results,
): Promise<void> {
  const head = batchHead(JSON_TYPE, results.failed);
  const pieces = resultsText(results);
  const first = pieces.next().value as string;
  const second = pieces.next();
  // An answer of one piece is sent whole, with its length.
  if (second.done === true) {
    head.push('Content-Length', String(Buffer.byteLength(first)));
    respond(gateway, exchange, 200, head, first);
    return;
  }
  const writer = new BodyWriter(gateway, exchange, 200, head);
  writer.write(Buffer.from(first));
  writer.write(Buffer.from(second.value));
  const slices = new TimeSlices();
  for (const piece of pieces) {
    const wait = slices.pause();
    if (wait !== undefined) await wait;
    await writer.drained(AHEAD_BYTES);
    writer.write(Buffer.from(piece));
  }
  writer.end();
}
