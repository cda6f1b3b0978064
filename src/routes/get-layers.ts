import type { ReadEncoder } from '../codecs/codec.ts';
import { jsonLayersEncoder } from '../codecs/json-encoder.ts';
import { multipartEncoder } from '../codecs/multipart-encoder.ts';
import { safetensorsEncoder } from '../codecs/safetensors-encoder.ts';
import { BodyWriter } from '../http/body-writer.ts';
import { evaluateConditions, isConditional } from '../http/conditional.ts';
import type { Exchange, Gateway } from '../http/exchange.ts';
import { isolationHeaders } from '../http/isolation.ts';
import { layerCutOf } from '../http/layer-query.ts';
import { JSON_TYPE, MIXED_TYPE, negotiate, SAFETENSORS_TYPE } from '../http/media-type.ts';
import { parseQuery } from '../http/query.ts';
import { respond } from '../http/respond.ts';
import { decodeKey } from '../http/target.ts';
import { transmit } from '../http/transmit.ts';
import type { Block } from '../native/types.ts';
import { fixedHeaders } from '../node-internals/one-write.ts';
import type { ReadPlan } from '../store/batch-read.ts';
import { type Layer, type LayerCut, requireCut } from '../store/layers.ts';
import { releaseWindow, sendWindow } from './batch-send.ts';
import { OCTETS } from './get-object.ts';
import type { Handler } from './handler.ts';

type LayersType = typeof SAFETENSORS_TYPE | typeof MIXED_TYPE | typeof JSON_TYPE | typeof OCTETS;

/** What a request asks for. */
interface Wanted {
  readonly key: string;
  readonly cut: LayerCut;
  readonly type: LayersType;
}

const baseHead = [
  'Vary',
  'Accept',
  'Cache-Control',
  'no-store',
  'X-Content-Type-Options',
  'nosniff',
];
const octetFields = ['Content-Type', OCTETS, ...baseHead];
const octetHead = fixedHeaders([...octetFields, ...isolationHeaders]);

/** GET /v1/layers/{key}: the object, or some of it, cut into layers. */
export const getLayers: Handler = async (gateway, exchange, raw, query) => {
  const wanted = wantedOf(gateway, exchange, raw, query);
  const { key, cut, type } = wanted;
  if (await isUnchanged(gateway, exchange, key)) return;
  const block = await gateway.store.read(key, exchange.req.socket);
  try {
    requireCut(cut, block.length);
  } catch (error) {
    block.release();
    throw error;
  }
  if (type !== OCTETS) return sendLayers(gateway, exchange, wanted, block);
  const { start, bytes } = cut.selected[0] as Layer;
  const length = ['Content-Length', String(bytes)];
  transmit(gateway, exchange, 200, octetHead, length, block, start, start + bytes);
};

/** HEAD /v1/layers/{key}: as GET, of what the engine says of the object without reading it. */
export const headLayers: Handler = async (gateway, exchange, raw, query) => {
  const wanted = wantedOf(gateway, exchange, raw, query);
  const { key, cut, type } = wanted;
  if (await isUnchanged(gateway, exchange, key)) return;
  const { size } = await gateway.store.stat(key);
  requireCut(cut, size);
  if (type === OCTETS) {
    const { bytes } = cut.selected[0] as Layer;
    respond(gateway, exchange, 200, [...octetFields, 'Content-Length', String(bytes)]);
    return;
  }
  respond(gateway, exchange, 200, headOf(await encoderOf(wanted, planOf(wanted), exchange)));
};

function wantedOf(gateway: Gateway, exchange: Exchange, raw: string, query: string): Wanted {
  const key = decodeKey(raw);
  exchange.key = key;
  const cut = layerCutOf(parseQuery(query, ['sizes', 'layout', 'select']), gateway.layouts);
  // The bytes of several layers would be those of none.
  const raws = cut.selected.length === 1 ? ([OCTETS] as const) : [];
  const type = negotiate(exchange.req, [SAFETENSORS_TYPE, MIXED_TYPE, JSON_TYPE, ...raws]);
  return { key, cut, type };
}

/** Evaluates the conditions, and answers 304 where they ask for that. */
async function isUnchanged(gateway: Gateway, exchange: Exchange, key: string): Promise<boolean> {
  const { headers } = exchange.req;
  if (!isConditional(headers)) return false;
  const exists = await gateway.store.exists(key);
  if (evaluateConditions(headers, 'GET', exists) === 'proceed') return false;
  respond(gateway, exchange, 304, ['Cache-Control', 'no-store']);
  return true;
}

const planOf = ({ key, cut }: Wanted): ReadPlan => ({
  keys: [key],
  sizes: Float64Array.of(cut.totalBytes),
  problems: new Map(),
});

function encoderOf(
  { key, cut, type }: Wanted,
  plan: ReadPlan,
  { requestId }: Exchange,
): ReadEncoder | Promise<ReadEncoder> {
  if (type === MIXED_TYPE) return multipartEncoder([key], requestId, cut);
  if (type === JSON_TYPE) return jsonLayersEncoder(key, cut);
  return safetensorsEncoder(plan, { cut, nameOf: (_key, layer) => String(layer) });
}

function headOf({ contentType, contentLength }: ReadEncoder): string[] {
  const head = ['Content-Type', contentType, ...baseHead];
  if (contentLength !== undefined) head.push('Content-Length', String(contentLength));
  return head;
}

/** Owns the block from here. */
async function sendLayers(
  gateway: Gateway,
  exchange: Exchange,
  wanted: Wanted,
  block: Block,
): Promise<void> {
  const plan = planOf(wanted);
  const window = { from: 0, to: 1, block, offsets: Float64Array.of(0), replaced: new Map() };
  let encoder: ReadEncoder;
  let writer: BodyWriter;
  try {
    encoder = await encoderOf(wanted, plan, exchange);
    writer = new BodyWriter(gateway, exchange, 200, headOf(encoder));
  } catch (error) {
    releaseWindow(window);
    throw error;
  }
  for (const piece of encoder.open()) writer.write(piece);
  await sendWindow({ writer, encoder, plan, cut: wanted.cut }, window);
  writer.write(Buffer.from(encoder.close(0)));
  writer.end();
}
