import { decodedBytes, decodePieces } from '../../codecs/json/base64.ts';
import { readLayersPut } from '../../codecs/json/json-put.ts';
import { MultipartDecoder } from '../../codecs/multipart/multipart-decoder.ts';
import { readNumberedHead } from '../../codecs/multipart/part-head.ts';
import { layerSizesOfTensors } from '../../codecs/safetensors/layer-tensors.ts';
import { SafetensorsDecoder } from '../../codecs/safetensors/safetensors-decoder.ts';
import { TimeSlices } from '../../codecs/time-slices.ts';
import { MAX_LAYERS } from '../../config/layouts.ts';
import { receiveBody } from '../../http/body/body-receiver.ts';
import { receiveText } from '../../http/body/receive-text.ts';
import { type TextHold, withTextHold } from '../../http/body/text-hold.ts';
import { UploadingClient } from '../../http/body/uploading-client.ts';
import type { Exchange } from '../../http/exchange.ts';
import { isConditional } from '../../http/request/conditional.ts';
import { type DigestCheck, digestOf } from '../../http/request/digest.ts';
import { announcedLength, refuseEncodings } from '../../http/request/framing.ts';
import { layerSizesOf } from '../../http/request/layer-query.ts';
import {
  FORM_TYPE,
  JSON_TYPE,
  type MediaType,
  requireMediaType,
  SAFETENSORS_TYPE,
} from '../../http/request/media-type.ts';
import { PUT_NAMES, type PutQuery, putQueryOf } from '../../http/request/placement.ts';
import { parseQuery } from '../../http/request/query.ts';
import { LayerWriter } from '../../store/layers/layer-writer.ts';
import { tooManyLayers } from '../../store/layers/layers.ts';
import type { Handler } from '../handler.ts';
import { putConditionally, storeBlock } from '../objects/store-block.ts';

const TYPES = [SAFETENSORS_TYPE, FORM_TYPE, JSON_TYPE];
const LAYERS = { most: MAX_LAYERS, exceeded: tooManyLayers };

/** The parameters of a PUT of layers. */
interface LayersPut extends PutQuery {
  readonly mediaType: MediaType;
  readonly expected: readonly number[] | undefined;
  readonly digest: DigestCheck | undefined;
}

/** PUT /v1/layers/{key}: receives layers into one block, stores the block. */
export const putLayers: Handler = (exchange) => {
  const { gateway, req } = exchange;
  const parameters = parseQuery(exchange.query, ['sizes', 'layout', ...PUT_NAMES]);
  refuseEncodings(req);
  const asked = {
    ...putQueryOf(parameters),
    mediaType: requireMediaType(req, TYPES, 'Accept'),
    expected: layerSizesOf(parameters, gateway.layouts),
    digest: digestOf(req),
  };
  const receive = (put: PutQuery): Promise<void> => receiveLayers(exchange, { ...asked, ...put });
  return isConditional(req.headers) ? putConditionally(exchange, asked, receive) : receive(asked);
};

async function receiveLayers(exchange: Exchange, put: LayersPut): Promise<void> {
  const { store, limits } = exchange.gateway;
  const { maxObjectBytes, unsizedBytes } = limits;
  const writer = new LayerWriter({
    store,
    maxObjectBytes,
    unsizedBytes,
    replicas: put.options.replicas,
    expected: put.expected,
    maxBytes: announcedLength(exchange.req),
    caller: new UploadingClient(exchange),
  });
  const receive = put.mediaType.type === JSON_TYPE ? receiveJson : receiveStreamed;
  try {
    await withTextHold(exchange, (hold) => receive(exchange, put, writer, hold));
    const { block, bytes } = writer.complete();
    await storeBlock(exchange, put, block, bytes);
  } finally {
    writer.discard();
  }
}

async function receiveStreamed(
  exchange: Exchange,
  { mediaType, expected, digest }: LayersPut,
  writer: LayerWriter,
  hold: TextHold,
): Promise<void> {
  const { type, parameters } = mediaType;
  const decoder =
    type === FORM_TYPE
      ? new MultipartDecoder(writer, parameters.get('boundary'), {
          parts: LAYERS,
          readHead: readNumberedHead,
        })
      : new SafetensorsDecoder(writer, {
          bytes: announcedLength(exchange.req),
          maxHeaderBytes: exchange.gateway.limits.batchJsonBytes,
          tensors: LAYERS,
          admit: (tensors) => writer.announce(layerSizesOfTensors(tensors)),
          hold,
        });
  // A safetensors file gives at its beginning the room that it needs.
  if (type === FORM_TYPE || expected !== undefined) await writer.prepare();
  await receiveBody(exchange, decoder, digest);
}

async function receiveJson(
  exchange: Exchange,
  { digest }: LayersPut,
  writer: LayerWriter,
  hold: TextHold,
): Promise<void> {
  const layers = await readLayersPut(await receiveText(exchange, hold, digest));
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
}
