import { itemCounter } from '../../codecs/item-cost.ts';
import { readExists } from '../../codecs/json/json-request.ts';
import { existsResults } from '../../codecs/json/json-results.ts';
import { JSON_TYPE, negotiate } from '../../http/request/media-type.ts';
import { parseQuery } from '../../http/request/query.ts';
import { negotiatedHeaders } from '../../http/response/headers.ts';
import { respond } from '../../http/response/respond.ts';
import type { Handler } from '../handler.ts';
import { batchesOf, respondResults, withJson } from './batch-request.ts';

/** POST /v1/batch/exists. */
export const batchExists: Handler = (exchange) => {
  const { req } = exchange;
  const { limits } = exchange.gateway;
  const batches = batchesOf(exchange);
  parseQuery(exchange.query, []);
  negotiate(req, [JSON_TYPE]);
  return withJson(exchange, async (text, hold) => {
    const counter = itemCounter(hold, 'key');
    const { keys, untilMissing } = await readExists(text, limits.batchKeys, counter);
    exchange.itemCount = keys.length;
    if (!untilMissing) {
      const found = await batches.exists(keys, req.socket);
      await respondResults(exchange, existsResults(keys, found));
      return;
    }
    const leading = await batches.countLeading(keys, req.socket);
    // The keys behind the first missing one are not checked.
    exchange.itemCount = Math.min(leading + 1, keys.length);
    exchange.failedItems = new Map();
    const body = `{"leading":${leading},"of":${keys.length}}\n`;
    const headers = ['Content-Type', JSON_TYPE, 'Content-Length', String(body.length)];
    respond(exchange, { status: 200, fixed: negotiatedHeaders, headers }, body);
  });
};
