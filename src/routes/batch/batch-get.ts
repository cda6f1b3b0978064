import type { ReadEncoder } from '../../codecs/codec.ts';
import { itemCounter } from '../../codecs/item-cost.ts';
import { jsonEncoder } from '../../codecs/json/json-encoder.ts';
import { readGet } from '../../codecs/json/json-request.ts';
import { multipartEncoder } from '../../codecs/multipart/multipart-encoder.ts';
import {
  requireTensorNames,
  safetensorsEncoder,
} from '../../codecs/safetensors/safetensors-encoder.ts';
import { ProblemError, type ProblemSlug } from '../../errors/problems.ts';
import type { TextHold } from '../../http/body/text-hold.ts';
import type { Exchange } from '../../http/exchange.ts';
import { layerCutOf } from '../../http/request/layer-query.ts';
import {
  JSON_TYPE,
  MIXED_TYPE,
  negotiate,
  SAFETENSORS_TYPE,
} from '../../http/request/media-type.ts';
import { parseQuery } from '../../http/request/query.ts';
import { negotiatedHeaders } from '../../http/response/headers.ts';
import { COPIED_BYTES, MAX_OUTSIDE_BYTES, ResponseSender } from '../../http/response/sender.ts';
import type { LayerCut } from '../../store/layers/layers.ts';
import { judgeCut } from '../../store/layers/layers.ts';
import type { ReadPlan, ReadWindow } from '../../store/read-objects.ts';
import type { Handler } from '../handler.ts';
import { batchesOf, withJson } from './batch-request.ts';
import { type Cargo, encodedHeaders, releaseWindow, sendWindow } from './send-window.ts';

/** POST /v1/batch/get. */
export const batchGet: Handler = (exchange) => {
  const { gateway } = exchange;
  parseQuery(exchange.query, []);
  const type = negotiate(exchange.req, [JSON_TYPE, MIXED_TYPE, SAFETENSORS_TYPE]);
  return withJson(exchange, async (text, hold) => {
    const { batchKeys } = gateway.limits;
    const { keys, layers } = await readGet(text, batchKeys, itemCounter(hold, 'get'));
    exchange.itemCount = keys.length;
    const cut = layers === undefined ? undefined : layerCutOf(layers, gateway.layouts);
    if (type === SAFETENSORS_TYPE) await requireTensorNames(keys, gateway.limits.batchKeys, cut);
    await sendObjects(exchange, hold, { keys, type, cut });
  });
};

/** The parameters of a request. */
interface Wanted {
  readonly keys: readonly string[];
  readonly type: string;
  readonly cut: LayerCut | undefined;
}

function encoderOf(
  { type, cut }: Wanted,
  plan: ReadPlan,
  requestId: string,
  maxHeaderBytes: number,
): ReadEncoder | Promise<ReadEncoder> {
  if (type === SAFETENSORS_TYPE) return safetensorsEncoder(plan, { cut, maxHeaderBytes });
  if (type === MIXED_TYPE) return multipartEncoder(plan.keys, requestId, cut);
  return jsonEncoder(plan.keys, cut);
}

/**
 * Sends the objects window by window: while one is sent, the next is read, so that two are in the arena
 * at most. The first is read before the head is written, so that the head can give the number of failures.
 */
async function sendObjects(exchange: Exchange, hold: TextHold, wanted: Wanted): Promise<void> {
  const { gateway, req, requestId } = exchange;
  const { keys, cut } = wanted;
  const plan = await batchesOf(exchange).planRead(keys, req.socket);
  if (cut !== undefined) judgeCut(plan, cut, keys.keys());
  let window = await gateway.batches.readWindow(plan, 0, req.socket);
  let sender: ResponseSender;
  let encoder: ReadEncoder;
  try {
    if (cut !== undefined) judgeCut(plan, cut, window.replaced.keys());
    encoder = await encoderOf(wanted, plan, requestId, hold.most);
    hold.take(encoder.openBytes + textAhead(plan, encoder));
    const headers = encodedHeaders(encoder, 'batch');
    if (window.to === keys.length || encoder.contentLength !== undefined) {
      headers.push('Batch-Failed', String(plan.problems.size));
    }
    sender = new ResponseSender(exchange, { status: 200, fixed: negotiatedHeaders, headers });
  } catch (error) {
    releaseWindow(window);
    throw error;
  }
  for (const piece of encoder.open()) sender.write(piece);
  sender.afterwards(() => hold.giveBack(encoder.openBytes));
  const cargo = { sender, encoder, plan, cut };
  for (;;) {
    await sendWindow(cargo, window);
    if (window.to === keys.length) break;
    // A client that holds a window gets no second one while others wait: its share may be used up.
    if (gateway.store.arena.stats().waiters > 0) await sender.drained(0);
    window = await nextWindow(exchange, cargo, window.to);
    await sentBefore(sender, window);
  }
  exchange.failedItems = countBySlug(plan.problems.values());
  sender.text(encoder.close(plan.problems.size));
  sender.end();
}

function countBySlug(problems: Iterable<ProblemError>): ReadonlyMap<ProblemSlug, number> {
  const counts = new Map<ProblemSlug, number>();
  for (const { slug } of problems) counts.set(slug, (counts.get(slug) ?? 0) + 1);
  return counts;
}

/** Bytes outside the arena that may wait for a slow client: text around the objects, and base64. */
function textAhead({ keys, sizes }: ReadPlan, { base64, contentLength }: ReadEncoder): number {
  if (contentLength !== undefined) return 0;
  let bytes = keys.length * TEXT_AROUND_BYTES;
  for (const size of sizes) bytes += base64 ? size * 1.4 : Math.min(size, COPIED_BYTES);
  return Math.min(Math.ceil(bytes), MAX_OUTSIDE_BYTES);
}

const TEXT_AROUND_BYTES = 512;

/** Waits until the windows before are sent. Only then the window is sent, and the next one is read. */
async function sentBefore(sender: ResponseSender, window: ReadWindow): Promise<void> {
  try {
    await sender.drained(0);
  } catch (error) {
    releaseWindow(window);
    throw error;
  }
}

/**
 * Reads the next window. A body of announced length has no place for a failure, so the read throws and
 * the connection is broken. In other bodies the failure is the problem of all items that remain.
 */
async function nextWindow(
  exchange: Exchange,
  { plan, encoder, cut }: Cargo,
  from: number,
): Promise<ReadWindow> {
  const known = plan.problems.size;
  try {
    const { gateway, req } = exchange;
    const window = await gateway.batches.readWindow(plan, from, req.socket);
    if (cut !== undefined) judgeCut(plan, cut, window.replaced.keys());
    if (encoder.contentLength === undefined) return window;
    if (plan.problems.size === known && window.replaced.size === 0) return window;
    releaseWindow(window);
  } catch (error) {
    if (!(error instanceof ProblemError) || encoder.contentLength !== undefined) throw error;
    return allFailed(plan, from, error);
  }
  throw new ProblemError('object-changed');
}

function allFailed(plan: ReadPlan, from: number, problem: ProblemError): ReadWindow {
  const to = plan.keys.length;
  for (let index = from; index < to; index++) {
    if (!plan.problems.has(index)) plan.problems.set(index, problem);
    plan.sizes[index] = 0;
  }
  const offsets = new Float64Array(to - from);
  return { from, to, block: undefined, offsets, replaced: new Map() };
}
