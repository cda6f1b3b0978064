import { ProblemError } from '../../errors/problems.ts';
import type { Exchange } from '../../http/exchange.ts';
import { JSON_TYPE, requireAcceptable } from '../../http/request/media-type.ts';
import { parseQuery } from '../../http/request/query.ts';
import { respondJson } from '../../http/response/respond.ts';
import type { PoolSource } from '../../store/pool/pool-source.ts';
import type { Handler } from '../handler.ts';

/** GET /v1/cluster/health, segments and capacity. */
export const clusterHealth = reporting((pool) => pool.health());
export const clusterSegments = reporting(async (pool) => ({ segments: await pool.segments() }));
export const clusterCapacity = reporting((pool) => pool.capacity());

function reporting(ask: (pool: PoolSource) => Promise<object>): Handler {
  return async (exchange) => {
    parseQuery(exchange.query, []);
    requireAcceptable(exchange.req, JSON_TYPE);
    respondJson(exchange, await ask(requirePool(exchange)));
  };
}

/** What the pool holds, or `no-pool-source`. */
export function requirePool({ gateway }: Exchange): PoolSource {
  if (gateway.pool !== undefined) return gateway.pool;
  throw new ProblemError('no-pool-source', {
    detail:
      'The distributed engine cannot report this. Start the gateway with --meta-url, the HTTP address of the meta service.',
  });
}
