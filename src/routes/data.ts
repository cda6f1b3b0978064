import type { BatchOperation, Exchange, Gateway, RouteTemplate } from '../http/exchange.ts';
import { abandon } from '../http/exchange.ts';
import { announcesBody, bodyNotTaken, methodNotAllowed } from '../http/refuse.ts';
import { respondError } from '../http/respond.ts';
import type { Target } from '../http/target.ts';
import { lazy } from '../lazy.ts';
import { skipBody } from '../node-internals/body-tap.ts';
import { ClientGoneError } from '../store/client-gone.ts';
import { deleteObject } from './delete-object.ts';
import { getObject } from './get-object.ts';
import type { Handler, Methods } from './handler.ts';
import { headObject } from './head-object.ts';
import { getInfo } from './info.ts';
import { putObject } from './put-object.ts';

interface DataRoute {
  /** What stands before the key, or the whole path where there is none. */
  readonly prefix: string;
  readonly route: RouteTemplate;
  readonly methods: Methods;
  readonly allow: string;
  /** The methods that take a body. */
  readonly takesBody: 'PUT' | 'POST';
}

const dataRoute = (prefix: string, methods: Methods): DataRoute => ({
  prefix,
  route: `${prefix}{key}` as RouteTemplate,
  methods,
  allow: Object.keys(methods).join(', '),
  takesBody: 'PUT',
});

/** Loaded on first use, or once the worker is ready: with its codecs it would delay the start. */
export const loadBulk = lazy(() => import('./bulk.ts'));

const bulk =
  (name: keyof Awaited<ReturnType<typeof loadBulk>>): Handler =>
  async (...request) =>
    (await loadBulk())[name](...request);

const objects = dataRoute('/v1/objects/', {
  GET: getObject,
  HEAD: headObject,
  PUT: putObject,
  DELETE: deleteObject,
});
const layers = dataRoute('/v1/layers/', {
  GET: bulk('getLayers'),
  HEAD: bulk('headLayers'),
  PUT: bulk('putLayers'),
});
const info = dataRoute('/v1/info/', { GET: getInfo, HEAD: getInfo });

const batchRoute = (operation: BatchOperation, handler: Handler): [string, DataRoute] => {
  const route = `/v1/batch/${operation}` as const;
  return [
    route,
    { prefix: route, route, methods: { POST: handler }, allow: 'POST', takesBody: 'POST' },
  ];
};

const batches = new Map([
  batchRoute('put', bulk('batchPut')),
  batchRoute('get', bulk('batchGet')),
  batchRoute('exists', bulk('batchExists')),
  batchRoute('info', bulk('batchInfo')),
  batchRoute('remove', bulk('batchRemove')),
]);

function findRoute(path: string): DataRoute | undefined {
  if (path.startsWith(objects.prefix)) return objects;
  if (path.startsWith(info.prefix)) return info;
  if (path.startsWith(layers.prefix)) return layers;
  return batches.get(path);
}

/**
 * Serves a data route, and answers false when the path is none. Both the fast lane and the Express
 * application call this, with the same parsed target, so the lane changes no answer.
 */
export function serveData(gateway: Gateway, exchange: Exchange, target: Target): boolean {
  const { path } = target;
  const found = findRoute(path);
  if (found === undefined) return false;
  exchange.route = found.route;
  const handler = Object.hasOwn(found.methods, exchange.method)
    ? found.methods[exchange.method]
    : undefined;
  if (handler === undefined) {
    respondError(gateway, exchange, methodNotAllowed(exchange.method, found.allow));
    return true;
  }
  if (exchange.method !== found.takesBody && announcesBody(exchange.req)) {
    respondError(gateway, exchange, bodyNotTaken(exchange.method));
    return true;
  }
  if (exchange.method !== found.takesBody) skipBody(exchange.req);
  run(handler, gateway, exchange, path.slice(found.prefix.length), target.query);
  return true;
}

/** Calls a handler, and answers with what it throws or rejects with. */
function run(
  handler: Handler,
  gateway: Gateway,
  exchange: Exchange,
  raw: string,
  query: string,
): void {
  try {
    const answered = handler(gateway, exchange, raw, query);
    if (answered instanceof Promise) answered.catch((error: unknown) => failed(error));
  } catch (error) {
    failed(error);
  }

  function failed(error: unknown): void {
    // What is wrong with the body itself comes first.
    const reason = exchange.bodyFault ?? error;
    if (reason instanceof ClientGoneError) abandon(gateway, exchange);
    else respondError(gateway, exchange, reason);
  }
}
