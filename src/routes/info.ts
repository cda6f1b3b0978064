import { requireAcceptable } from '../http/accept.ts';
import { parseQuery } from '../http/query.ts';
import { respondJson } from '../http/respond.ts';
import { decodeKey } from '../http/target.ts';
import type { Handler } from './handler.ts';

/** GET /v1/info/{key}: size, and for each replica its service id and medium. */
export const getInfo: Handler = async (gateway, exchange, raw, query) => {
  const key = decodeKey(raw);
  exchange.key = key;
  parseQuery(query, []);
  requireAcceptable(exchange.req, 'application/json');
  const { size, replicas } = await gateway.store.stat(key);
  respondJson(gateway, exchange, { key, size, replicas });
};
