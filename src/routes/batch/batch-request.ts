import { type ItemForm, itemCounter } from '../../codecs/item-cost.ts';
import { readKeys } from '../../codecs/json/json-request.ts';
import type { Results } from '../../codecs/json/json-results.ts';
import { resultsText } from '../../codecs/json/json-results.ts';
import { TimeSlices } from '../../codecs/time-slices.ts';
import { sharedProblem } from '../../errors/problems.ts';
import { receiveText } from '../../http/body/receive-text.ts';
import { type TextHold, withTextHold } from '../../http/body/text-hold.ts';
import type { Exchange } from '../../http/exchange.ts';
import { digestOf } from '../../http/request/digest.ts';
import { refuseEncodings } from '../../http/request/framing.ts';
import { JSON_TYPE, negotiate, requireMediaType } from '../../http/request/media-type.ts';
import { parseQuery } from '../../http/request/query.ts';
import { negotiatedHeaders } from '../../http/response/headers.ts';
import { respond } from '../../http/response/respond.ts';
import { ResponseSender } from '../../http/response/sender.ts';
import { keyNotPermitted } from '../../http/security/authorize.ts';
import { permitsKey } from '../../http/security/grant.ts';
import type { Caller } from '../../scheduler/arena-room.ts';
import type { BatchStore } from '../../store/batch/batch-store.ts';
import { permittedBatches } from '../../store/batch/permitted-keys.ts';
import type { Handler } from '../handler.ts';

/** Bytes of a response that may wait for a slow client before more of it is made (item-cost.ts). */
const AHEAD_BYTES = 64 * 1024;

/** The store of a batch request. Each key outside the prefixes of its token becomes an item with 403. */
export function batchesOf({ gateway, grant }: Exchange): BatchStore {
  if (grant.prefixes.length === 0) return gateway.batches;
  const { slug, options } = keyNotPermitted(grant);
  return permittedBatches(gateway.batches, {
    permits: (key) => permitsKey(grant, key),
    problem: sharedProblem(slug, options),
  });
}

/** An operation on keys alone: JSON in, JSON out. */
export function keysHandler(
  form: ItemForm,
  ask: (batches: BatchStore, keys: readonly string[], caller: Caller) => Promise<Results>,
): Handler {
  return (exchange) => {
    const { gateway, req } = exchange;
    parseQuery(exchange.query, []);
    negotiate(req, [JSON_TYPE]);
    return withJson(exchange, async (text, hold) => {
      const { batchKeys } = gateway.limits;
      const keys = await readKeys(text, batchKeys, itemCounter(hold, form));
      exchange.itemCount = keys.length;
      await respondResults(exchange, await ask(batchesOf(exchange), keys, req.socket));
    });
  };
}

/** Receives a request that can only be JSON, with a hold for the values that are made of it. */
export function withJson(
  exchange: Exchange,
  use: (text: Buffer, hold: TextHold) => Promise<void>,
): Promise<void> {
  const { req } = exchange;
  refuseEncodings(req);
  requireMediaType(req, [JSON_TYPE]);
  const digest = digestOf(req);
  return withTextHold(exchange, async (hold) => {
    await use(await receiveText(exchange, hold, digest), hold);
  });
}

/** Sends the results of a batch: as one text when they are short, else in pieces as the client reads them. */
export async function respondResults(exchange: Exchange, results: Results): Promise<void> {
  exchange.itemCount = results.count;
  exchange.failedItems = results.failures;
  const headers = ['Content-Type', JSON_TYPE, 'Batch-Failed', String(results.failed)];
  const head = { status: 200, fixed: negotiatedHeaders, headers };
  const pieces = resultsText(results);
  const first = pieces.next().value as string;
  const second = pieces.next();
  if (second.done === true) {
    headers.push('Content-Length', String(Buffer.byteLength(first)));
    respond(exchange, head, first);
    return;
  }
  const sender = new ResponseSender(exchange, head, false);
  sender.write(Buffer.from(first));
  sender.write(Buffer.from(second.value));
  const slices = new TimeSlices();
  for (const piece of pieces) {
    const wait = slices.pause();
    if (wait !== undefined) await wait;
    await sender.drained(AHEAD_BYTES);
    sender.write(Buffer.from(piece));
  }
  sender.end();
}
