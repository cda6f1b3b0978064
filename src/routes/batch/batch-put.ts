import { itemCounter } from '../../codecs/item-cost.ts';
import { decodeItems, readPut } from '../../codecs/json/json-put.ts';
import { putResults } from '../../codecs/json/json-results.ts';
import { keyLimit } from '../../codecs/keys.ts';
import { MultipartDecoder } from '../../codecs/multipart/multipart-decoder.ts';
import { readPartHead } from '../../codecs/multipart/part-head.ts';
import { SafetensorsDecoder } from '../../codecs/safetensors/safetensors-decoder.ts';
import type { ProblemError } from '../../errors/problems.ts';
import { receiveBody } from '../../http/body/body-receiver.ts';
import type { ChunkSink } from '../../http/body/body-sink.ts';
import { receiveText } from '../../http/body/receive-text.ts';
import { type TextHold, withTextHold } from '../../http/body/text-hold.ts';
import { UploadingClient } from '../../http/body/uploading-client.ts';
import type { Exchange } from '../../http/exchange.ts';
import { type DigestCheck, digestOf } from '../../http/request/digest.ts';
import { announcedLength, refuseEncodings } from '../../http/request/framing.ts';
import {
  FORM_TYPE,
  JSON_TYPE,
  type MediaType,
  negotiate,
  requireMediaType,
  SAFETENSORS_TYPE,
} from '../../http/request/media-type.ts';
import { parsePutQuery } from '../../http/request/placement.ts';
import { invalidParameter, parseQuery } from '../../http/request/query.ts';
import type { BatchWriter } from '../../store/batch/batch-writer.ts';
import type { Handler } from '../handler.ts';
import { batchesOf, respondResults } from './batch-request.ts';

const TYPES = [JSON_TYPE, FORM_TYPE, SAFETENSORS_TYPE];

/** POST /v1/batch/put. */
export const batchPut: Handler = async (exchange) => {
  const { gateway, req } = exchange;
  negotiate(req, [JSON_TYPE]);
  refuseEncodings(req);
  const mediaType = requireMediaType(req, TYPES);
  const digest = digestOf(req);
  const writer = batchesOf(exchange).writer(gateway.limits, new UploadingClient(exchange));
  const receive = mediaType.type === JSON_TYPE ? receiveJson : receiveStreamed;
  const put = async (hold: TextHold): Promise<void> => {
    try {
      await receive(exchange, { mediaType, digest, writer, hold });
      const { keys, outcomes } = await writer.written();
      await respondResults(exchange, putResults(keys, outcomes));
    } finally {
      await writer.discard();
    }
  };
  await withTextHold(exchange, put, () => writer.returned());
};

interface BatchPut {
  readonly mediaType: MediaType;
  readonly digest: DigestCheck | undefined;
  readonly writer: BatchWriter;
  readonly hold: TextHold;
}

async function receiveJson(exchange: Exchange, { digest, writer, hold }: BatchPut): Promise<void> {
  parseQuery(exchange.query, []);
  const text = await receiveText(exchange, hold, digest);
  const { batchKeys } = exchange.gateway.limits;
  const { put, items } = await readPut(text, batchKeys, itemCounter(hold, 'put'));
  exchange.itemCount = items.length;
  writer.place(put.options, put.ifExists);
  await decodeItems(items, writer);
}

async function receiveStreamed(exchange: Exchange, put: BatchPut): Promise<void> {
  const { digest, writer } = put;
  const { options, ifExists } = parsePutQuery(exchange.query);
  writer.place(options, ifExists);
  const decoder = decoderOf(exchange, put);
  if (digest === undefined) return receiveBody(exchange, decoder, undefined);
  writer.holdAll();
  const most = maxVerifiedBytes(exchange);
  await receiveBody(exchange, decoder, digest, { most, exceeded: () => tooLongToVerify(most) });
}

function decoderOf(exchange: Exchange, { mediaType, writer, hold }: BatchPut): ChunkSink {
  const { batchKeys, batchJsonBytes } = exchange.gateway.limits;
  if (mediaType.type === FORM_TYPE) {
    const parts = keyLimit(batchKeys, itemCounter(hold, 'part'));
    const boundary = mediaType.parameters.get('boundary');
    return new MultipartDecoder(writer, boundary, { parts, readHead: readPartHead });
  }
  return new SafetensorsDecoder(writer, {
    bytes: announcedLength(exchange.req),
    maxHeaderBytes: batchJsonBytes,
    tensors: keyLimit(batchKeys, itemCounter(hold, 'tensor')),
    hold,
  });
}

/**
 * Bytes of the longest batch with a digest. A batch is stored as it arrives, unless it has a digest:
 * then it is held whole until that is verified, within a quarter of the arena.
 */
function maxVerifiedBytes({ gateway: { limits, store }, req }: Exchange): number {
  const room = Math.min(limits.maxObjectBytes, Math.floor(store.arena.totalBytes / 4));
  return announcedLength(req) === undefined ? Math.min(room, limits.unsizedBytes) : room;
}

const tooLongToVerify = (maxBytes: number): ProblemError =>
  invalidParameter(
    `Content-Digest: a batch is held whole until its digest is verified, and this one has more than ${maxBytes} bytes. Send smaller batches with Content-Length, or this one without Content-Digest.`,
  );
