import { readRegistration } from '../../codecs/json/json-registration.ts';
import type { Exchange } from '../../http/exchange.ts';
import { JSON_TYPE, requireAcceptable } from '../../http/request/media-type.ts';
import { parseQuery } from '../../http/request/query.ts';
import { bodyHeaders, emptyHeaders } from '../../http/response/headers.ts';
import { respond, respondJson } from '../../http/response/respond.ts';
import { withJson } from '../batch/batch-request.ts';
import type { Handler } from '../handler.ts';
import { bufferClientOf } from './buffer-client.ts';
import { bufferNameOf } from './buffer-path.ts';
import { askSupervisor } from './buffer-reply.ts';

/** PUT /v1/buffers/{name}. */
export const putBuffer: Handler = (exchange) => {
  parseQuery(exchange.query, []);
  const { buffers, by, owner } = bufferClientOf(exchange);
  const name = bufferNameOf(exchange);
  requireAcceptable(exchange.req, JSON_TYPE);
  return withJson(exchange, async (text) => {
    const registration = { ...(await readRegistration(text)), name, owner };
    const { regions, isNew } = await askSupervisor(buffers, { ask: 'register', registration, by });
    respondWith(exchange, isNew === true ? 201 : 200, regions[0]);
  });
};

/** GET /v1/buffers/{name}. */
export const getBuffer: Handler = async (exchange) => {
  parseQuery(exchange.query, []);
  const { buffers, by } = bufferClientOf(exchange);
  requireAcceptable(exchange.req, JSON_TYPE);
  const name = bufferNameOf(exchange);
  respondJson(exchange, (await askSupervisor(buffers, { ask: 'find', name, by })).regions[0]);
};

/** GET /v1/buffers: those of the client, or all for the scope admin. */
export const listBuffers: Handler = async (exchange) => {
  parseQuery(exchange.query, []);
  const { buffers, by } = bufferClientOf(exchange);
  requireAcceptable(exchange.req, JSON_TYPE);
  const { regions } = await askSupervisor(buffers, { ask: 'list', by });
  respondJson(exchange, { buffers: regions });
};

/** DELETE /v1/buffers/{name}. */
export const deleteBuffer: Handler = async (exchange) => {
  parseQuery(exchange.query, []);
  const { buffers, by } = bufferClientOf(exchange);
  const name = bufferNameOf(exchange);
  const { regions } = await askSupervisor(buffers, { ask: 'remove', name, by });
  const [draining] = regions;
  if (draining === undefined) respondEmpty(exchange);
  else respondWith(exchange, 202, draining);
};

/** DELETE /v1/buffers: those that `listBuffers` shows. */
export const deleteBuffers: Handler = async (exchange) => {
  parseQuery(exchange.query, []);
  const { buffers, by } = bufferClientOf(exchange);
  const { regions } = await askSupervisor(buffers, { ask: 'removeAll', by });
  if (regions.length === 0) respondEmpty(exchange);
  else respondWith(exchange, 202, { buffers: regions });
};

const respondEmpty = (exchange: Exchange): void =>
  respond(exchange, { status: 204, fixed: emptyHeaders, headers: [] });

function respondWith(exchange: Exchange, status: number, value: unknown): void {
  const text = `${JSON.stringify(value)}\n`;
  const length = String(Buffer.byteLength(text));
  const headers = ['Content-Type', JSON_TYPE, 'Content-Length', length];
  respond(exchange, { status, fixed: bodyHeaders, headers }, text);
}
