import { requireAcceptable } from '../../http/request/media-type.ts';
import { parseQuery } from '../../http/request/query.ts';
import { respondJson } from '../../http/response/respond.ts';
import type { Handler } from '../handler.ts';

/** GET /v1/info/{key}: the size, and for each replica its service id and medium. */
export const getInfo: Handler = async (exchange) => {
  const { gateway, req, key, query } = exchange;
  parseQuery(query, []);
  requireAcceptable(req, 'application/json');
  const { size, replicas } = await gateway.store.stat(key);
  respondJson(exchange, { key, size, replicas });
};
