import type { RequestListener } from 'node:http';
import express, { type ErrorRequestHandler, type RequestHandler } from 'express';
import { ClientGoneError } from '../errors/client-gone.ts';
import { ProblemError } from '../errors/problems.ts';
import { abandon, exchangeOf, type Gateway, type RouteTemplate } from '../http/exchange.ts';
import { announcesBody, bodyNotTaken } from '../http/request/framing.ts';
import { prefersHtml } from '../http/request/media-type.ts';
import { parseTarget } from '../http/request/target.ts';
import { methodNotAllowed } from '../http/response/problem.ts';
import { respondError } from '../http/response/respond.ts';
import { authorize } from '../http/security/authorize.ts';
import { serveData } from '../routes/data.ts';
import type { Handler, Methods } from '../routes/handler.ts';
import { docsRoutes } from '../routes/pages/docs.ts';
import { type StatusDeps, statusPage } from '../routes/pages/status.ts';
import { clusterCapacity, clusterHealth, clusterSegments } from '../routes/pool/cluster.ts';
import type { Operations } from '../routes/pool/health.ts';
import { listKeys } from '../routes/pool/list-keys.ts';
import { removeKeys } from '../routes/pool/remove-keys.ts';

/**
 * The Express application: the data routes, /v1/clients, /v1/cluster, /v1/keys, /v1/admin, /livez, /readyz,
 * /metrics, the pages for people (`status` is for /), and an application/problem+json for everything else.
 * It only wires; every exchange is begun and counted
 * by the server.
 */
export async function createApp(
  gateway: Gateway,
  { clients, livez, readyz, metrics, getLogLevel, setLogLevel }: Operations,
  status: StatusDeps,
): Promise<RequestListener> {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', false);
  app.enable('case sensitive routing');
  app.enable('strict routing');

  app.use((req, _res, next) => {
    if (!serveData(exchangeOf(req), parseTarget(req.url))) next();
  });

  const route = (path: RouteTemplate, methods: Methods, takesBody?: 'PUT'): void => {
    const allow = Object.keys(methods).join(', ');
    app.all(path, (req, _res) => {
      const exchange = exchangeOf(req);
      exchange.route = path;
      const serve = Object.hasOwn(methods, req.method) ? methods[req.method] : undefined;
      if (serve === undefined) throw methodNotAllowed(req.method, allow);
      if (req.method !== takesBody && announcesBody(req)) throw bodyNotTaken(req.method);
      authorize(exchange);
      exchange.query = parseTarget(req.url).query;
      return serve(exchange);
    });
  };
  const operation = (path: RouteTemplate, serve: Handler): void =>
    route(path, { GET: serve, HEAD: serve });
  operation('/v1/clients', clients);
  operation('/v1/cluster/health', clusterHealth);
  operation('/v1/cluster/segments', clusterSegments);
  operation('/v1/cluster/capacity', clusterCapacity);
  route('/v1/keys', { GET: listKeys, HEAD: listKeys, DELETE: removeKeys });
  const level = { GET: getLogLevel, HEAD: getLogLevel, PUT: setLogLevel };
  route('/v1/admin/log-level', level, 'PUT');
  operation('/livez', livez);
  operation('/readyz', readyz);
  operation('/metrics', metrics);
  const showStatus = statusPage(status);
  app.get('/', (req, _res, next) => {
    if (!prefersHtml(req)) return next();
    const exchange = exchangeOf(req);
    exchange.route = '/';
    if (announcesBody(req)) throw bodyNotTaken(req.method);
    authorize(exchange);
    exchange.query = parseTarget(req.url).query;
    return showStatus(exchange);
  });

  app.use(asPage(gateway), await docsRoutes());
  app.use(() => {
    throw new ProblemError('no-such-resource');
  });
  app.use(answerError);
  return app;
}

/** Express sends the pages, so the gateway neither writes their head nor counts their bytes as it sends them. */
const asPage =
  (gateway: Gateway): RequestHandler =>
  (req, res, next) => {
    const exchange = exchangeOf(req);
    exchange.route = pageTemplate(req.path);
    authorize(exchange);
    res.setHeader('X-Request-Id', exchange.requestId);
    if (gateway.draining) res.setHeader('Connection', 'close');
    res.once('finish', () => {
      const sent = req.method !== 'HEAD' && exchange.problem === undefined;
      if (sent) exchange.bytesOut = Number(res.getHeader('Content-Length') ?? 0);
    });
    next();
  };

function pageTemplate(path: string): RouteTemplate {
  if (path === '/docs' || path.startsWith('/docs/')) return '/docs';
  if (path === '/' || path === '/openapi.json' || path === '/openapi.yaml') return path;
  return path === '/problems' || path.startsWith('/problems/') ? '/problems/{slug}' : 'other';
}

/** Express recognizes an error handler by its four parameters. */
const answerError: ErrorRequestHandler = (error, req, _res, _next) => {
  const exchange = exchangeOf(req);
  if (error instanceof ClientGoneError) abandon(exchange);
  else respondError(exchange, malformedPath(error) ?? error);
};

/** Express refuses a path parameter that is not percent-encoded UTF-8 with an error of status 400. */
const malformedPath = (error: unknown): ProblemError | undefined =>
  error instanceof URIError
    ? new ProblemError('invalid-parameter', { detail: 'The path is not percent-encoded UTF-8.' })
    : undefined;
