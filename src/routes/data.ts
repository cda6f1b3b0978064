import { ProblemError } from '../errors.ts';
import type { Exchange, Gateway, RouteTemplate } from '../http/exchange.ts';
import { endExchange } from '../http/exchange.ts';
import { ClientGoneError } from '../http/receive.ts';
import { announcesBody, bodyNotTaken } from '../http/refuse.ts';
import { respondError } from '../http/respond.ts';
import type { Target } from '../http/target.ts';
import { deleteObject } from './delete-object.ts';
import { getObject } from './get-object.ts';
import type { Handler, Methods } from './handler.ts';
import { headObject } from './head-object.ts';
import { getInfo } from './info.ts';
import { putObject } from './put-object.ts';

interface DataRoute {
  readonly prefix: string;
  readonly route: RouteTemplate;
  readonly methods: Methods;
  readonly allow: string;
}

const dataRoute = (prefix: string, methods: Methods): DataRoute => ({
  prefix,
  route: `${prefix}{key}` as RouteTemplate,
  methods,
  allow: Object.keys(methods).join(', '),
});

const objects = dataRoute('/v1/objects/', {
  GET: getObject,
  HEAD: headObject,
  PUT: putObject,
  DELETE: deleteObject,
});
const info = dataRoute('/v1/info/', { GET: getInfo, HEAD: getInfo });

/**
 * Serves a data route, and answers false when the path is none. Both the fast lane and the Express
 * application call this, with the same parsed target, so the lane changes no answer.
 */
export function serveData(gateway: Gateway, exchange: Exchange, target: Target): boolean {
  const { path } = target;
  const found = path.startsWith(objects.prefix)
    ? objects
    : path.startsWith(info.prefix)
      ? info
      : undefined;
  if (found === undefined) return false;
  exchange.route = found.route;
  const handler = Object.hasOwn(found.methods, exchange.method)
    ? found.methods[exchange.method]
    : undefined;
  if (handler === undefined) {
    respondError(gateway, exchange, methodNotAllowed(exchange.method, found.allow));
    return true;
  }
  if (exchange.method !== 'PUT' && announcesBody(exchange.req)) {
    respondError(gateway, exchange, bodyNotTaken(exchange.method));
    return true;
  }
  run(handler, gateway, exchange, path.slice(found.prefix.length), target.query);
  return true;
}

export const methodNotAllowed = (method: string, allow: string): ProblemError =>
  new ProblemError('method-not-allowed', {
    detail: `${method} is not a method of this resource; it has ${allow}.`,
    headers: { Allow: allow },
  });

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
    if (error instanceof ClientGoneError) endExchange(gateway, exchange);
    // What is wrong with the body itself comes first.
    else respondError(gateway, exchange, exchange.bodyFault ?? error);
  }
}
