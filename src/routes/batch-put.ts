import type { PutDecoder } from '../codecs/codec.ts';
import { itemCounter } from '../codecs/item-cost.ts';
import { decodedBytes, decodePieces, readPut } from '../codecs/json-put.ts';
import { putResults } from '../codecs/json-results.ts';
import { keyLimit } from '../codecs/keys.ts';
import { MultipartDecoder } from '../codecs/multipart-decoder.ts';
import { readPartHead } from '../codecs/part-head.ts';
import { SafetensorsDecoder } from '../codecs/safetensors-decoder.ts';
import { announcedLength, refuseCodings } from '../http/codings.ts';
import type { Exchange, Gateway } from '../http/exchange.ts';
import {
  FORM_TYPE,
  JSON_TYPE,
  type MediaType,
  negotiate,
  requireMediaType,
  SAFETENSORS_TYPE,
} from '../http/media-type.ts';
import { parsePutQuery } from '../http/placement.ts';
import { parseQuery } from '../http/query.ts';
import { receiveStream } from '../http/receive-stream.ts';
import { receiveText } from '../http/receive-text.ts';
import { type TextHold, withTextHold } from '../http/text-hold.ts';
import type { BatchWriter, ValueSink } from '../store/batch-writer.ts';
import { respondResults } from './batch-request.ts';
import type { Handler } from './handler.ts';

const TYPES = [JSON_TYPE, FORM_TYPE, SAFETENSORS_TYPE];

/** POST /v1/batch/put. */
export const batchPut: Handler = async (gateway, exchange, _raw, query) => {
  negotiate(exchange.req, [JSON_TYPE]);
  refuseCodings(exchange);
  const mediaType = requireMediaType(exchange.req, TYPES);
  const writer = gateway.batches.writer(gateway.limits, exchange.req.socket);
  const receive = async (hold: TextHold): Promise<void> => {
    try {
      if (mediaType.type === JSON_TYPE) {
        parseQuery(query, []);
        await putJson(gateway, exchange, writer, hold);
      } else {
        const { options, ifExists } = parsePutQuery(query);
        writer.place(options, ifExists);
        await putStream(gateway, exchange, decoderOf(gateway, exchange, mediaType, writer, hold));
      }
      const { keys, outcomes } = await writer.written();
      await respondResults(gateway, exchange, putResults(keys, outcomes));
    } finally {
      writer.discard();
    }
  };
  await withTextHold(gateway, exchange, receive, () => writer.returned());
};

function decoderOf(
  { limits }: Gateway,
  exchange: Exchange,
  { type, parameters }: MediaType,
  sink: ValueSink,
  hold: TextHold,
): PutDecoder {
  if (type === FORM_TYPE) {
    const parts = keyLimit(limits.batchKeys, itemCounter(hold, 'part'));
    return new MultipartDecoder(sink, parameters.get('boundary'), {
      parts,
      readHead: readPartHead,
      hold,
    });
  }
  return new SafetensorsDecoder(sink, {
    bytes: announcedLength(exchange),
    mostHeaderBytes: limits.batchJsonBytes,
    tensors: keyLimit(limits.batchKeys, itemCounter(hold, 'tensor')),
    hold,
  });
}

async function putStream(gateway: Gateway, exchange: Exchange, decoder: PutDecoder): Promise<void> {
  try {
    await receiveStream(gateway, exchange, decoder);
  } finally {
    decoder.destroy();
  }
}

async function putJson(
  gateway: Gateway,
  exchange: Exchange,
  writer: BatchWriter,
  hold: TextHold,
): Promise<void> {
  const text = await receiveText(gateway, exchange, hold);
  const { put, items } = readPut(text, gateway.limits.batchKeys, itemCounter(hold, 'put'));
  writer.place(put.options, put.ifExists);
  for (const { key, base64 } of items) {
    const bytes = base64.reduce((sum, piece) => sum + decodedBytes(piece), 0);
    await writer.begin(key, bytes);
    for (const text of base64) {
      for (const piece of decodePieces(text)) await writer.take(piece);
    }
    await writer.finish();
  }
}
