import { requireAcceptable } from '../../http/request/media-type.ts';
import { parseQuery } from '../../http/request/query.ts';
import { addAttachment } from '../../http/response/disposition.ts';
import { OCTETS, objectHeaders } from '../../http/response/headers.ts';
import { respond } from '../../http/response/respond.ts';
import type { Handler } from '../handler.ts';
import { isNotModified } from './not-modified.ts';

/** HEAD /v1/objects/{key}: the length of the object, and where its replicas are. */
export const headObject: Handler = async (exchange) => {
  const { gateway, req, key, query } = exchange;
  parseQuery(query, []);
  requireAcceptable(req, OCTETS);
  if (await isNotModified(exchange)) return;
  const { size, replicas } = await gateway.store.stat(key);
  const headers = ['Content-Length', String(size)];
  addAttachment(headers, key);
  // A structured-field list (RFC 8941): the service id of each replica, with its medium.
  const places = replicas.map(({ serviceId, medium }) => `${serviceId};medium=${medium}`);
  if (places.length > 0) headers.push('Memcache-Replicas', places.join(', '));
  respond(exchange, { status: 200, fixed: objectHeaders, headers });
};
