import { decodedBytes, decodePieces } from '../codecs/base64.ts';
import { readLayersPut } from '../codecs/json-put.ts';
import { layerSizesOfTensors } from '../codecs/layer-tensors.ts';
import { MultipartDecoder } from '../codecs/multipart-decoder.ts';
import { readNumberedHead } from '../codecs/part-head.ts';
import { SafetensorsDecoder } from '../codecs/safetensors-decoder.ts';
import { TimeSlices } from '../codecs/time-slices.ts';
import { MOST_LAYERS } from '../config-layouts.ts';
import { BodySender } from '../http/body-sender.ts';
import { announcedLength, refuseCodings } from '../http/codings.ts';
import { isConditional } from '../http/conditional.ts';
import { type DigestCheck, digestOf, verified, verifyWhole } from '../http/digest.ts';
import type { Exchange, Gateway } from '../http/exchange.ts';
import { layerSizesOf } from '../http/layer-query.ts';
import {
  FORM_TYPE,
  JSON_TYPE,
  type MediaType,
  requireMediaType,
  SAFETENSORS_TYPE,
} from '../http/media-type.ts';
import { PUT_NAMES, putQueryOf } from '../http/placement.ts';
import { parseQuery } from '../http/query.ts';
import { receiveStream } from '../http/receive-stream.ts';
import { withText } from '../http/receive-text.ts';
import { decodeKey } from '../http/target.ts';
import { openTextHold } from '../http/text-hold.ts';
import { LayerWriter } from '../store/layer-writer.ts';
import { tooManyLayers } from '../store/layers.ts';
import type { Handler } from './handler.ts';
import { type Put, putConditionally, storeBody } from './store-body.ts';

const TYPES = [SAFETENSORS_TYPE, FORM_TYPE, JSON_TYPE];
const LAYERS = { most: MOST_LAYERS, exceeded: tooManyLayers };

/** What a PUT of layers asks for. */
interface LayersPut extends Put {
  readonly mediaType: MediaType;
  readonly expected: readonly number[] | undefined;
  /** Of the body as it is sent; the object is another. */
  readonly bodyDigest: DigestCheck | undefined;
}

/** PUT /v1/layers/{key}: receives layers into one block, stores the block. */
export const putLayers: Handler = (gateway, exchange, raw, query) => {
  const { headers } = exchange.req;
  const key = decodeKey(raw);
  exchange.key = key;
  const parameters = parseQuery(query, ['sizes', 'layout', ...PUT_NAMES]);
  refuseCodings(exchange);
  const put: LayersPut = {
    key,
    ...putQueryOf(parameters),
    mediaType: requireMediaType(exchange.req, TYPES, 'Accept'),
    expected: layerSizesOf(parameters, gateway.layouts),
    bodyDigest: digestOf(exchange),
  };
  const receive = (asked: LayersPut): Promise<void> => receiveLayers(gateway, exchange, asked);
  return isConditional(headers) ? putConditionally(gateway, exchange, put, receive) : receive(put);
};

async function receiveLayers(gateway: Gateway, exchange: Exchange, put: LayersPut): Promise<void> {
  const { maxObjectBytes, unsizedBytes } = gateway.limits;
  const { type } = put.mediaType;
  const writer = new LayerWriter({
    store: gateway.store,
    maxObjectBytes,
    unsizedBytes,
    replicas: put.options.replicas,
    expected: put.expected,
    mostBytes: announcedLength(exchange),
    caller: new BodySender(exchange),
  });
  try {
    if (type === JSON_TYPE) await receiveJson(gateway, exchange, put, writer);
    else await receiveStreamed(gateway, exchange, put, writer);
    const { block, bytes } = writer.complete();
    await storeBody(gateway, exchange, put, block, bytes);
  } finally {
    writer.discard();
  }
}

async function receiveStreamed(
  gateway: Gateway,
  exchange: Exchange,
  { mediaType, expected, bodyDigest }: LayersPut,
  writer: LayerWriter,
): Promise<void> {
  const { type, parameters } = mediaType;
  const { limits } = gateway;
  const hold = openTextHold(gateway, exchange);
  const decoder =
    type === FORM_TYPE
      ? new MultipartDecoder(writer, parameters.get('boundary'), {
          parts: LAYERS,
          readHead: readNumberedHead,
        })
      : new SafetensorsDecoder(writer, {
          bytes: announcedLength(exchange),
          mostHeaderBytes: limits.batchJsonBytes,
          tensors: LAYERS,
          admit: (tensors) => writer.announce(layerSizesOfTensors(tensors)),
          hold,
        });
  try {
    // A safetensors file tells at its beginning how much room it needs.
    if (type === FORM_TYPE || expected !== undefined) await writer.prepare();
    await receiveStream(gateway, exchange, verified(decoder, bodyDigest));
  } finally {
    decoder.destroy();
    hold.release();
  }
}

const receiveJson = (
  gateway: Gateway,
  exchange: Exchange,
  { bodyDigest }: LayersPut,
  writer: LayerWriter,
): Promise<void> =>
  withText(gateway, exchange, async (text) => {
    await verifyWhole(bodyDigest, text);
    const layers = await readLayersPut(text);
    const slices = new TimeSlices();
    writer.announce(layers.map(decodedBytes));
    for (const [number, base64] of layers.entries()) {
      await writer.begin(String(number), decodedBytes(base64));
      for (const piece of decodePieces(base64)) {
        writer.take(piece);
        await slices.pause();
      }
      writer.finish();
    }
  });
