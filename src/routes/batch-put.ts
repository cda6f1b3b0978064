import type { PutDecoder } from '../codecs/codec.ts';
import { itemCounter } from '../codecs/item-cost.ts';
import { decodeItems, readPut } from '../codecs/json-put.ts';
import { putResults } from '../codecs/json-results.ts';
import { keyLimit } from '../codecs/keys.ts';
import { MultipartDecoder } from '../codecs/multipart-decoder.ts';
import { readPartHead } from '../codecs/part-head.ts';
import { SafetensorsDecoder } from '../codecs/safetensors-decoder.ts';
import type { ProblemError } from '../errors.ts';
import { BodySender } from '../http/body-sender.ts';
import { announcedLength, refuseCodings } from '../http/codings.ts';
import { type DigestCheck, digestOf, verified, verifyWhole } from '../http/digest.ts';
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
import { invalidParameter, parseQuery } from '../http/query.ts';
import { type BodySink, receiveStream } from '../http/receive-stream.ts';
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
  const digest = digestOf(exchange);
  const writer = gateway.batches.writer(gateway.limits, new BodySender(exchange));
  const receive = async (hold: TextHold): Promise<void> => {
    try {
      if (mediaType.type === JSON_TYPE) {
        parseQuery(query, []);
        await putJson(gateway, exchange, writer, hold, digest);
      } else {
        const { options, ifExists } = parsePutQuery(query);
        writer.place(options, ifExists);
        if (digest !== undefined) writer.holdAll();
        const decoder = decoderOf(gateway, exchange, mediaType, writer, hold);
        await putStream(gateway, exchange, decoder, digest);
      }
      const { keys, outcomes } = await writer.written();
      await respondResults(gateway, exchange, putResults(keys, outcomes));
    } finally {
      await writer.discard();
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
    });
  }
  return new SafetensorsDecoder(sink, {
    bytes: announcedLength(exchange),
    mostHeaderBytes: limits.batchJsonBytes,
    tensors: keyLimit(limits.batchKeys, itemCounter(hold, 'tensor')),
    hold,
  });
}

async function putStream(
  gateway: Gateway,
  exchange: Exchange,
  decoder: PutDecoder,
  digest: DigestCheck | undefined,
): Promise<void> {
  try {
    const sink = digest === undefined ? decoder : held(gateway, exchange, decoder, digest);
    await receiveStream(gateway, exchange, sink);
  } finally {
    decoder.destroy();
  }
}

/**
 * A batch is stored as it arrives, unless it has a digest: then it is held whole until that is
 * verified, within a quarter of the arena. Throws `invalid-parameter` for one that is longer, before
 * its body is read where its length is known.
 */
function held(
  { limits, store }: Gateway,
  exchange: Exchange,
  decoder: PutDecoder,
  digest: DigestCheck,
): BodySink {
  const length = announcedLength(exchange);
  const room = Math.min(limits.maxObjectBytes, Math.floor(store.arena.totalBytes / 4));
  const maxBytes = length === undefined ? Math.min(room, limits.unsizedBytes) : room;
  if (length !== undefined && length > maxBytes) throw tooLongToVerify(maxBytes);
  const sink = verified(decoder, digest);
  let bytes = 0;
  return {
    write(chunk) {
      bytes += chunk.length;
      if (bytes > maxBytes) throw tooLongToVerify(maxBytes);
      return sink.write(chunk);
    },
    end: () => sink.end(),
  };
}

const tooLongToVerify = (maxBytes: number): ProblemError =>
  invalidParameter(
    `Content-Digest: a batch is held whole until its digest is verified, and this one has more than ${maxBytes} bytes. Send smaller batches with Content-Length, or this one without Content-Digest.`,
  );

async function putJson(
  gateway: Gateway,
  exchange: Exchange,
  writer: BatchWriter,
  hold: TextHold,
  digest: DigestCheck | undefined,
): Promise<void> {
  const text = await receiveText(gateway, exchange, hold);
  await verifyWhole(digest, text);
  const { put, items } = await readPut(text, gateway.limits.batchKeys, itemCounter(hold, 'put'));
  writer.place(put.options, put.ifExists);
  await decodeItems(items, writer);
}
