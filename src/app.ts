import type { RequestListener } from 'node:http';
import express, { type ErrorRequestHandler, type RequestHandler } from 'express';
import { ProblemError } from './errors.ts';
import { exchangeOf, type Gateway, type RouteTemplate } from './http/exchange.ts';
import { announcesBody, bodyNotTaken, methodNotAllowed } from './http/refuse.ts';
import { respondError } from './http/respond.ts';
import { parseTarget } from './http/target.ts';
import { serveData } from './routes/data.ts';
import { docsRoutes } from './routes/docs.ts';
import type { Operation, Operations } from './routes/health.ts';

/**
 * The Express application: the data routes, /v1/clients, /livez, /readyz, /metrics, the pages for people, and an
 * application/problem+json for everything else. It only wires; every exchange is begun and counted
 * by the server.
 */
export async function createApp(
  gateway: Gateway,
  { clients, livez, readyz, metrics }: Operations,
): Promise<RequestListener> {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', false);
  app.enable('case sensitive routing');
  app.enable('strict routing');

  app.use((req, _res, next) => {
    if (!serveData(gateway, exchangeOf(req), parseTarget(req.url))) next();
  });

  const operation = (path: RouteTemplate, serve: Operation): void => {
    app.all(path, (req, _res) => {
      const exchange = exchangeOf(req);
      exchange.route = path;
      if (req.method !== 'GET' && req.method !== 'HEAD') {
        throw methodNotAllowed(req.method, 'GET, HEAD');
      }
      if (announcesBody(req)) throw bodyNotTaken(req.method);
      return serve(gateway, exchange, parseTarget(req.url).query);
    });
  };
  operation('/v1/clients', clients);
  operation('/livez', livez);
  operation('/readyz', readyz);
  operation('/metrics', metrics);

  app.use(asPage(gateway), await docsRoutes({ tls: false }));
  app.use(() => {
    throw new ProblemError('no-such-resource');
  });
  app.use(answerError(gateway));
  return app;
}

/** Pages are sent by Express, so their head is not ours to write, nor their bytes to count. */
const asPage =
  (gateway: Gateway): RequestHandler =>
  (req, res, next) => {
    const exchange = exchangeOf(req);
    exchange.route = pageTemplate(req.path);
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
  if (path === '/openapi.json' || path === '/openapi.yaml') return path;
  return path === '/problems' || path.startsWith('/problems/') ? '/problems/{slug}' : 'other';
}

/** Four parameters: that is how Express knows an error handler. */
const answerError =
  (gateway: Gateway): ErrorRequestHandler =>
  (error, req, _res, _next) => {
    respondError(gateway, exchangeOf(req), malformedPath(error) ?? error);
  };

/** Express refuses a path parameter that is not percent-encoded UTF-8 with an error of status 400. */
const malformedPath = (error: unknown): ProblemError | undefined =>
  error instanceof URIError
    ? new ProblemError('invalid-parameter', { detail: 'The path is not percent-encoded UTF-8.' })
    : undefined;
