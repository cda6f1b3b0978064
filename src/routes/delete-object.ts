import { evaluateConditions, isConditional } from '../http/conditional.ts';
import type { Exchange, Gateway } from '../http/exchange.ts';
import { parseQuery } from '../http/query.ts';
import { respond } from '../http/respond.ts';
import { decodeKey } from '../http/target.ts';
import type { Handler } from './handler.ts';

/** DELETE /v1/objects/{key}. */
export const deleteObject: Handler = (gateway, exchange, raw, query) => {
  const key = decodeKey(raw);
  exchange.key = key;
  if (query !== '') parseQuery(query, []);
  if (isConditional(exchange.req.headers)) return deleteConditionally(gateway, exchange, key);
  const removed = gateway.store.remove(key);
  if (removed instanceof Promise) return removed.then(() => answer(gateway, exchange));
  answer(gateway, exchange);
};

async function deleteConditionally(
  gateway: Gateway,
  exchange: Exchange,
  key: string,
): Promise<void> {
  evaluateConditions(exchange.req.headers, 'DELETE', await gateway.store.exists(key));
  await gateway.store.remove(key);
  answer(gateway, exchange);
}

const answer = (gateway: Gateway, exchange: Exchange): void =>
  respond(gateway, exchange, 204, ['Cache-Control', 'no-store']);
