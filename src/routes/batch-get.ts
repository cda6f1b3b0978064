import type { ReadEncoder } from '../codecs/codec.ts';
import { itemCounter } from '../codecs/item-cost.ts';
import { jsonEncoder } from '../codecs/json-encoder.ts';
import { readGet } from '../codecs/json-request.ts';
import { multipartEncoder } from '../codecs/multipart-encoder.ts';
import { requireTensorNames, safetensorsEncoder } from '../codecs/safetensors-encoder.ts';
import { ProblemError } from '../errors.ts';
import { COPIED_BYTES, MAX_OUTSIDE_BYTES } from '../http/body-assembly.ts';
import { BodyWriter } from '../http/body-writer.ts';
import type { Exchange, Gateway } from '../http/exchange.ts';
import { layerCutOf } from '../http/layer-query.ts';
import { JSON_TYPE, MIXED_TYPE, negotiate, SAFETENSORS_TYPE } from '../http/media-type.ts';
import { parseQuery } from '../http/query.ts';
import type { TextHold } from '../http/text-hold.ts';
import type { ReadPlan, ReadWindow } from '../store/batch-read.ts';
import type { LayerCut } from '../store/layers.ts';
import { judgeCut } from '../store/layers.ts';
import { batchHead, withJson } from './batch-request.ts';
import { type Cargo, releaseWindow, sendWindow } from './batch-send.ts';
import type { Handler } from './handler.ts';

/** POST /v1/batch/get. */
export const batchGet: Handler = (gateway, exchange, _raw, query) => {
  parseQuery(query, []);
  const type = negotiate(exchange.req, [JSON_TYPE, MIXED_TYPE, SAFETENSORS_TYPE]);
  return withJson(gateway, exchange, async (text, hold) => {
    const { batchKeys } = gateway.limits;
    const { keys, layers } = await readGet(text, batchKeys, itemCounter(hold, 'get'));
    const cut = layers === undefined ? undefined : layerCutOf(layers, gateway.layouts);
    if (type === SAFETENSORS_TYPE) await requireTensorNames(keys, gateway.limits.batchKeys, cut);
    await answer(gateway, exchange, hold, keys, type, cut);
  });
};

function encoderOf(
  type: string,
  plan: ReadPlan,
  requestId: string,
  cut: LayerCut | undefined,
  mostHeaderBytes: number,
): ReadEncoder | Promise<ReadEncoder> {
  if (type === SAFETENSORS_TYPE) return safetensorsEncoder(plan, { cut, mostHeaderBytes });
  if (type === MIXED_TYPE) return multipartEncoder(plan.keys, requestId, cut);
  return jsonEncoder(plan.keys, cut);
}

/**
 * Sends the objects window by window: while one leaves, the next is read, so that two are in the
 * arena at most. The first is read before the head is written, which then can tell of what failed.
 */
async function answer(
  gateway: Gateway,
  exchange: Exchange,
  hold: TextHold,
  keys: readonly string[],
  type: string,
  cut: LayerCut | undefined,
): Promise<void> {
  const { batches } = gateway;
  const { socket } = exchange.req;
  const plan = await batches.planRead(keys, socket);
  if (cut !== undefined) judgeCut(plan, cut, keys.keys());
  let window = await batches.readWindow(plan, 0, socket);
  let writer: BodyWriter;
  let encoder: ReadEncoder;
  try {
    if (cut !== undefined) judgeCut(plan, cut, window.replaced.keys());
    encoder = await encoderOf(type, plan, exchange.requestId, cut, hold.most);
    hold.take(encoder.openBytes + textAhead(plan, encoder));
    const { contentLength } = encoder;
    const all = window.to === keys.length || contentLength !== undefined;
    const head = batchHead(encoder.contentType, all ? plan.problems.size : undefined);
    if (contentLength !== undefined) head.push('Content-Length', String(contentLength));
    writer = new BodyWriter(gateway, exchange, 200, head);
  } catch (error) {
    releaseWindow(window);
    throw error;
  }
  for (const piece of encoder.open()) writer.write(piece);
  writer.afterwards(() => hold.giveBack(encoder.openBytes));
  const cargo = { writer, encoder, plan, cut };
  for (;;) {
    await sendWindow(cargo, window);
    if (window.to === keys.length) break;
    // A client that holds a window gets no second one while others wait: its share may be used up.
    if (gateway.store.arena.stats().waiters > 0) await writer.drained(0);
    window = await nextWindow(gateway, exchange, cargo, window.to);
    await leftBefore(writer, window);
  }
  writer.write(Buffer.from(encoder.close(plan.problems.size)));
  writer.end();
}

/** Bytes outside the arena that a slow client makes wait: text around the objects, and base64. */
function textAhead({ keys, sizes }: ReadPlan, { base64, contentLength }: ReadEncoder): number {
  if (contentLength !== undefined) return 0;
  let bytes = keys.length * TEXT_AROUND_BYTES;
  for (const size of sizes) bytes += base64 ? size * 1.4 : Math.min(size, COPIED_BYTES);
  return Math.min(Math.ceil(bytes), MAX_OUTSIDE_BYTES);
}

const TEXT_AROUND_BYTES = 512;

/** What was sent before has left; only then is the window sent, and the one after it read. */
async function leftBefore(writer: BodyWriter, window: ReadWindow): Promise<void> {
  try {
    await writer.drained(0);
  } catch (error) {
    releaseWindow(window);
    throw error;
  }
}

/**
 * A body that has promised its length can't tell of a failure, so its connection is broken. Otherwise
 * a call that failed is the problem of all the items that are still to come.
 */
async function nextWindow(
  { batches }: Gateway,
  exchange: Exchange,
  { plan, encoder, cut }: Cargo,
  from: number,
): Promise<ReadWindow> {
  const known = plan.problems.size;
  try {
    const window = await batches.readWindow(plan, from, exchange.req.socket);
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
