import { ClientGoneError } from '../errors/client-gone.ts';
import { holdBody } from '../http/body/body-receiver.ts';
import type { BatchOperation, Exchange, RouteTemplate } from '../http/exchange.ts';
import { abandon } from '../http/exchange.ts';
import { announcesBody, bodyNotTaken } from '../http/request/framing.ts';
import { decodeKey, type Target } from '../http/request/target.ts';
import { methodNotAllowed } from '../http/response/problem.ts';
import { respondError } from '../http/response/respond.ts';
import { authorize } from '../http/security/authorize.ts';
import { skipBody } from '../node-internals/body-tap.ts';
import type { Handler, Methods } from './handler.ts';
import { lazy } from './lazy.ts';
import { deleteObject } from './objects/delete-object.ts';
import { getInfo } from './objects/get-info.ts';
import { getObject } from './objects/get-object.ts';
import { headObject } from './objects/head-object.ts';
import { putObject } from './objects/put-object.ts';

interface DataRoute {
  readonly route: RouteTemplate;
  readonly methods: Methods;
  readonly allow: string;
  /** The method that takes a body. */
  readonly takesBody: 'PUT' | 'POST';
  /** Characters of the path before the key; undefined for a route without one. */
  readonly keyAt: number | undefined;
}

const keyRoute = (prefix: string, methods: Methods): DataRoute => ({
  route: `${prefix}{key}` as RouteTemplate,
  methods,
  allow: Object.keys(methods).join(', '),
  takesBody: 'PUT',
  keyAt: prefix.length,
});

/** Loaded on first use, or once the worker is ready: with its codecs it would delay the start. */
export const loadBulk = lazy(() => import('./bulk.ts'));

const bulk =
  (name: keyof Awaited<ReturnType<typeof loadBulk>>): Handler =>
  async (exchange) =>
    (await loadBulk())[name](exchange);

const objects = keyRoute('/v1/objects/', {
  GET: getObject,
  HEAD: headObject,
  PUT: putObject,
  DELETE: deleteObject,
});
const layers = keyRoute('/v1/layers/', {
  GET: bulk('getLayers'),
  HEAD: bulk('headLayers'),
  PUT: bulk('putLayers'),
});
const info = keyRoute('/v1/info/', { GET: getInfo, HEAD: getInfo });

const batchRoute = (operation: BatchOperation, handler: Handler): [string, DataRoute] => {
  const route = `/v1/batch/${operation}` as const;
  const methods = { POST: handler };
  return [route, { route, methods, allow: 'POST', takesBody: 'POST', keyAt: undefined }];
};

const batches = new Map([
  batchRoute('put', bulk('batchPut')),
  batchRoute('get', bulk('batchGet')),
  batchRoute('exists', bulk('batchExists')),
  batchRoute('info', bulk('batchInfo')),
  batchRoute('remove', bulk('batchRemove')),
]);

const bufferRoute = (route: RouteTemplate, methods: Methods): DataRoute => {
  const takesBody = Object.hasOwn(methods, 'POST') ? 'POST' : 'PUT';
  return { route, methods, allow: Object.keys(methods).join(', '), takesBody, keyAt: undefined };
};

const bufferList = bufferRoute('/v1/buffers', {
  GET: bulk('listBuffers'),
  HEAD: bulk('listBuffers'),
  DELETE: bulk('deleteBuffers'),
});
const buffer = bufferRoute('/v1/buffers/{name}', {
  GET: bulk('getBuffer'),
  HEAD: bulk('getBuffer'),
  PUT: bulk('putBuffer'),
  DELETE: bulk('deleteBuffer'),
});
const bufferPut = bufferRoute('/v1/buffers/{name}/put', { POST: bulk('bufferPut') });
const bufferGet = bufferRoute('/v1/buffers/{name}/get', { POST: bulk('bufferGet') });

function findBufferRoute(path: string): DataRoute | undefined {
  if (path === '/v1/buffers') return bufferList;
  if (!path.startsWith('/v1/buffers/')) return undefined;
  const name = '/v1/buffers/'.length;
  if (path.endsWith('/put') && path.length > name + '/put'.length) return bufferPut;
  if (path.endsWith('/get') && path.length > name + '/get'.length) return bufferGet;
  return buffer;
}

function findRoute(path: string): DataRoute | undefined {
  if (path.startsWith('/v1/objects/')) return objects;
  if (path.startsWith('/v1/info/')) return info;
  if (path.startsWith('/v1/layers/')) return layers;
  return batches.get(path) ?? findBufferRoute(path);
}

/**
 * Serves a data route; false for any other path. The server and the Express application both call
 * this with the same parsed target, so a request gets the same response either way.
 */
export function serveData(exchange: Exchange, { path, query }: Target): boolean {
  const found = findRoute(path);
  if (found === undefined) return false;
  exchange.route = found.route;
  const { req, method } = exchange;
  const handler = Object.hasOwn(found.methods, method) ? found.methods[method] : undefined;
  if (handler === undefined) {
    respondError(exchange, methodNotAllowed(method, found.allow));
    return true;
  }
  if (method !== found.takesBody) {
    if (announcesBody(req)) {
      respondError(exchange, bodyNotTaken(method));
      return true;
    }
    skipBody(req);
  }
  exchange.query = query;
  try {
    if (found.keyAt !== undefined) exchange.key = decodeKey(path.slice(found.keyAt));
    authorize(exchange);
    const served = handler(exchange);
    if (served instanceof Promise) served.catch((error: unknown) => fail(exchange, error));
    if (method === found.takesBody) holdBody(exchange);
  } catch (error) {
    fail(exchange, error);
  }
  return true;
}

/** Responds with the error that a handler threw. A fault of the body itself takes precedence. */
function fail(exchange: Exchange, error: unknown): void {
  const reason = exchange.bodyFault ?? error;
  if (reason instanceof ClientGoneError) abandon(exchange);
  else respondError(exchange, reason);
}
