import type { Exchange } from '../../http/exchange.ts';
import { evaluateConditions, isConditional } from '../../http/request/conditional.ts';
import { parseQuery } from '../../http/request/query.ts';
import { emptyHeaders } from '../../http/response/headers.ts';
import { respond } from '../../http/response/respond.ts';
import type { Handler } from '../handler.ts';

/** DELETE /v1/objects/{key}. */
export const deleteObject: Handler = (exchange) => {
  const { gateway, req, key, query } = exchange;
  parseQuery(query, []);
  if (isConditional(req.headers)) return deleteConditionally(exchange);
  const removed = gateway.store.remove(key);
  if (removed instanceof Promise) return removed.then(() => respondRemoved(exchange));
  respondRemoved(exchange);
};

async function deleteConditionally(exchange: Exchange): Promise<void> {
  const { gateway, req, key } = exchange;
  evaluateConditions(req.headers, 'DELETE', await gateway.store.exists(key));
  await gateway.store.remove(key);
  respondRemoved(exchange);
}

const respondRemoved = (exchange: Exchange): void =>
  respond(exchange, { status: 204, fixed: emptyHeaders, headers: [] });
