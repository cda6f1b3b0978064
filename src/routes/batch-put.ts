import { decodedBytes, decodePieces, readPut } from '../codecs/json-request.ts';
import { putResults } from '../codecs/json-results.ts';
import { refuseCodings } from '../http/codings.ts';
import type { Exchange, Gateway } from '../http/exchange.ts';
import { JSON_TYPE, negotiate, requireMediaType } from '../http/media-type.ts';
import { parseQuery } from '../http/query.ts';
import { withText } from '../http/receive-text.ts';
import type { BatchWriter } from '../store/batch-writer.ts';
import { respondResults } from './batch-request.ts';
import type { Handler } from './handler.ts';

const TYPES = [JSON_TYPE];

/** POST /v1/batch/put. */
export const batchPut: Handler = async (gateway, exchange, _raw, query) => {
  negotiate(exchange.req, [JSON_TYPE]);
  refuseCodings(exchange);
  requireMediaType(exchange.req, TYPES);
  const writer = gateway.batches.writer(gateway.limits, exchange.req.socket);
  try {
    parseQuery(query, []);
    await putJson(gateway, exchange, writer);
    const { keys, outcomes } = await writer.written();
    await respondResults(gateway, exchange, putResults(keys, outcomes));
  } finally {
    writer.discard();
  }
};

const putJson = (gateway: Gateway, exchange: Exchange, writer: BatchWriter): Promise<void> =>
  withText(gateway, exchange, async (text) => {
    const { put, items } = readPut(text, gateway.limits.batchKeys);
    writer.place(put.options, put.ifExists);
    for (const { key, base64 } of items) {
      await writer.begin(key, decodedBytes(base64));
      for (const piece of decodePieces(base64)) await writer.take(piece);
      await writer.finish();
    }
  });
