import type { ReadEncoder } from '../../codecs/codec.ts';
import { jsonLayersEncoder } from '../../codecs/json/json-encoder.ts';
import { multipartEncoder } from '../../codecs/multipart/multipart-encoder.ts';
import { safetensorsEncoder } from '../../codecs/safetensors/safetensors-encoder.ts';
import type { Exchange } from '../../http/exchange.ts';
import { layerCutOf } from '../../http/request/layer-query.ts';
import {
  JSON_TYPE,
  MIXED_TYPE,
  negotiate,
  SAFETENSORS_TYPE,
} from '../../http/request/media-type.ts';
import { parseQuery } from '../../http/request/query.ts';
import { addAttachment } from '../../http/response/disposition.ts';
import {
  type HeaderList,
  negotiatedHeaders,
  OCTETS,
  type ResponseHead,
} from '../../http/response/headers.ts';
import { respond, respondBlock } from '../../http/response/respond.ts';
import { ResponseSender } from '../../http/response/sender.ts';
import type { Block } from '../../native/abi/types.ts';
import { type Layer, type LayerCut, requireCut } from '../../store/layers/layers.ts';
import type { ReadPlan } from '../../store/read-objects.ts';
import { encodedHeaders, releaseWindow, sendWindow } from '../batch/send-window.ts';
import type { Handler } from '../handler.ts';
import { isNotModified } from '../objects/not-modified.ts';

type LayersType = typeof SAFETENSORS_TYPE | typeof MIXED_TYPE | typeof JSON_TYPE | typeof OCTETS;

/** The parameters of a request. */
interface Wanted {
  readonly key: string;
  readonly cut: LayerCut;
  readonly type: LayersType;
}

/** GET /v1/layers/{key}: the object, or some of it, cut into layers. */
export const getLayers: Handler = async (exchange) => {
  const { gateway, req, key } = exchange;
  const wanted = wantedOf(exchange);
  const { cut, type } = wanted;
  if (await isNotModified(exchange)) return;
  const block = await gateway.store.read(key, req.socket);
  try {
    requireCut(cut, block.length);
  } catch (error) {
    block.release();
    throw error;
  }
  if (type !== OCTETS) return sendLayers(exchange, wanted, block);
  const layer = cut.selected[0] as Layer;
  const { start, bytes } = layer;
  respondBlock(exchange, headOf(layerHeaders(key, layer)), block, start, start + bytes);
};

/** HEAD /v1/layers/{key}: as GET, from the size that the engine reports without a read. */
export const headLayers: Handler = async (exchange) => {
  const { gateway, key } = exchange;
  const wanted = wantedOf(exchange);
  const { cut, type } = wanted;
  if (await isNotModified(exchange)) return;
  const { size } = await gateway.store.stat(key);
  requireCut(cut, size);
  const layer = cut.selected[0] as Layer;
  const headers =
    type === OCTETS
      ? layerHeaders(key, layer, ['Content-Length', String(layer.bytes)])
      : encodedHeaders(await encoderOf(wanted, planOf(wanted), exchange), key);
  respond(exchange, headOf(headers));
};

/** Headers of the bytes of one layer. */
function layerHeaders(key: string, { number }: Layer, more: HeaderList = []): HeaderList {
  const headers = ['Content-Type', OCTETS, ...more];
  addAttachment(headers, key, `.layer-${number}`);
  return headers;
}

const headOf = (headers: HeaderList): ResponseHead => ({
  status: 200,
  fixed: negotiatedHeaders,
  headers,
});

function wantedOf({ gateway, req, key, query }: Exchange): Wanted {
  const cut = layerCutOf(parseQuery(query, ['sizes', 'layout', 'select']), gateway.layouts);
  // Raw bytes have no framing, so only one layer can be sent that way.
  const raws = cut.selected.length === 1 ? ([OCTETS] as const) : [];
  const type = negotiate(req, [SAFETENSORS_TYPE, MIXED_TYPE, JSON_TYPE, ...raws]);
  return { key, cut, type };
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

/** Sends the block, which it owns from here. */
async function sendLayers(exchange: Exchange, wanted: Wanted, block: Block): Promise<void> {
  const plan = planOf(wanted);
  const window = { from: 0, to: 1, block, offsets: Float64Array.of(0), replaced: new Map() };
  let encoder: ReadEncoder;
  let sender: ResponseSender;
  try {
    encoder = await encoderOf(wanted, plan, exchange);
    sender = new ResponseSender(exchange, headOf(encodedHeaders(encoder, wanted.key)));
  } catch (error) {
    releaseWindow(window);
    throw error;
  }
  for (const piece of encoder.open()) sender.write(piece);
  await sendWindow({ sender, encoder, plan, cut: wanted.cut }, window);
  sender.text(encoder.close(0));
  sender.end();
}
