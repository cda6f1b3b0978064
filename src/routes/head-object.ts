import { requireAcceptable } from '../http/accept.ts';
import { evaluateConditions, isConditional } from '../http/conditional.ts';
import { parseQuery } from '../http/query.ts';
import { respond } from '../http/respond.ts';
import { decodeKey } from '../http/target.ts';
import { OCTETS, octetFields } from './get-object.ts';
import type { Handler } from './handler.ts';

/** HEAD /v1/objects/{key}: that it is there, how long, and where its replicas are. */
export const headObject: Handler = async (gateway, exchange, raw, query) => {
  const key = decodeKey(raw);
  exchange.key = key;
  parseQuery(query, []);
  requireAcceptable(exchange.req, OCTETS);
  const { headers } = exchange.req;
  if (isConditional(headers)) {
    const exists = await gateway.store.exists(key);
    if (evaluateConditions(headers, 'HEAD', exists) === 'not-modified') {
      respond(gateway, exchange, 304, ['Cache-Control', 'no-store']);
      return;
    }
  }
  const { size, replicas } = await gateway.store.stat(key);
  const head = [...octetFields, 'Content-Length', String(size)];
  // A structured-field list (RFC 8941): each replica's service id, with its medium.
  const places = replicas.map(({ serviceId, medium }) => `${serviceId};medium=${medium}`);
  if (places.length > 0) head.push('Memcache-Replicas', places.join(', '));
  respond(gateway, exchange, 200, head);
};
