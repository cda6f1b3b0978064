import type { IncomingMessage } from 'node:http';
import { ProblemError, type ProblemSlug } from '../errors/problems.ts';
import { announcesBody, bodyNotTaken, checkTransferEncoding } from '../http/request/framing.ts';
import { prefersHtml } from '../http/request/media-type.ts';
import { parseQuery, switched } from '../http/request/query.ts';
import { parseTarget } from '../http/request/target.ts';
import {
  type AllowedOrigin,
  corsHeaders,
  isPreflight,
  preflightHeaders,
} from '../http/response/cors.ts';
import { bodyFields, noStoreFields } from '../http/response/headers.ts';
import {
  addFields,
  methodNotAllowed,
  type ProblemResponse,
  problemResponse,
} from '../http/response/problem.ts';
import type { Access } from '../http/security/access.ts';
import { authorize, authorizeVerbose } from '../http/security/authorize.ts';
import { checkHead, type Expectation } from '../http/security/head.ts';
import type { BrowserGuard } from '../http/security/host.ts';
import type { PoolHistory } from '../messages/history.ts';
import type { MetricsText } from '../messages/protocol.ts';
import type { PoolReport } from '../messages/report.ts';
import { parseStatusQuery } from '../status-page/query.ts';
import { rightsOf } from '../status-page/rights.ts';
import { renderStatusPage } from '../status-page/status-page.ts';
import { pageFields } from '../status-page/style.ts';
import type { Unavailability } from './unavailable-reason.ts';

/** The state of the pool, from which responses without a worker are made. */
export interface PoolFacts {
  /** Why there is no worker, in a sentence, and the time until a retry. */
  readonly unavailability: () => Unavailability;
  readonly metricsText: () => Promise<MetricsText>;
  /** The state of each worker. */
  readonly report: () => PoolReport;
  /** The last 15 minutes. */
  readonly history: () => PoolHistory;
}

/** One request, as far as a response without a worker depends on it. */
export interface FallbackRequest {
  readonly req: IncomingMessage;
  readonly requestId: string;
  readonly expectation: Expectation;
}

/** What judges a request before its response is made. */
export interface FallbackGuards {
  readonly guard: BrowserGuard;
  readonly allowedOrigin: AllowedOrigin;
  readonly access: Access;
}

/** A response, with its problem and what a defect threw, for the log. */
export type FallbackResponse = ProblemResponse & { problem?: ProblemSlug; error?: unknown };

/** The operations that need no worker, with their parameters. Readiness always fails here. */
const operations = {
  '/livez': [],
  '/readyz': ['verbose'],
  '/metrics': [],
  '/v1/clients': [],
} as const satisfies Record<string, readonly 'verbose'[]>;
type OperationPath = keyof typeof operations;

const isOperation = (path: string): path is OperationPath => Object.hasOwn(operations, path);

/**
 * The response to a request while no worker serves: 503, except that the process lives, has metrics and
 * reports its clients. A request that a worker would refuse by its head alone is refused alike.
 */
export async function fallbackResponse(
  request: FallbackRequest,
  guards: FallbackGuards,
  facts: PoolFacts,
): Promise<FallbackResponse> {
  const origin = guards.allowedOrigin(request.req.headers.origin);
  const response = await responseTo(request, guards, facts, origin);
  if (origin === undefined || response.status === 204) return response;
  addFields(response.headers, corsHeaders(origin));
  return response;
}

async function responseTo(
  { req, requestId, expectation }: FallbackRequest,
  { guard, access }: FallbackGuards,
  facts: PoolFacts,
  origin: string | undefined,
): Promise<FallbackResponse> {
  const { unavailability, metricsText, report } = facts;
  try {
    const grant = checkHead(req, expectation, guard, access);
    if (origin !== undefined && isPreflight(req)) return permission(origin, requestId);
    checkTransferEncoding(req);
    const { path, query } = parseTarget(req.url ?? '/');
    if (path === '/' && prefersHtml(req)) {
      return statusPage(req, query, { gateway: { access }, grant }, facts, requestId);
    }
    const verbose = isOperation(path) && requireOperation(req, query, operations[path]);
    const { method = 'GET' } = req;
    if (isOperation(path)) authorize({ gateway: { access }, grant, route: path, method, key: '' });
    if (verbose) authorizeVerbose({ grant });
    if (path === '/livez') return ok('application/json', '{"status":"live"}\n', requestId);
    if (path === '/metrics') {
      const { contentType, body } = await metricsText();
      return ok(contentType, body, requestId);
    }
    if (path === '/v1/clients') {
      const { clients } = report();
      return ok('application/json', `${JSON.stringify({ clients })}\n`, requestId);
    }
    const { detail, retryAfterSeconds } = unavailability();
    const headers = { 'Retry-After': String(retryAfterSeconds) };
    const members = verbose ? { clients: report().clients } : {};
    throw new ProblemError('not-ready', { detail, headers, members });
  } catch (error) {
    return refusal(req, requestId, error);
  }
}

/** The page without a worker: it looks up no key. Its status is 200, since the page is complete. */
function statusPage(
  req: IncomingMessage,
  query: string,
  asking: Parameters<typeof rightsOf>[0],
  { unavailability, report, history }: PoolFacts,
  requestId: string,
): ProblemResponse {
  requireRead(req);
  authorize({ ...asking, route: '/', method: 'GET', key: '' });
  const { key, refreshes } = parseStatusQuery(query);
  const { detail } = unavailability();
  const lookup =
    key === undefined ? undefined : { key, outcome: new ProblemError('not-ready', { detail }) };
  const page = renderStatusPage({
    ...{ refreshes, lookup, ready: false, reason: detail },
    rights: rightsOf(asking),
    clients: report().clients,
    history: history(),
  });
  const { headers, ...response } = ok('text/html; charset=utf-8', page, requestId);
  return { ...response, headers: { ...headers, ...pageFields } };
}

/** The response to a preflight of an allowed origin. */
function permission(origin: string, requestId: string): ProblemResponse {
  const headers = { ...noStoreFields, 'X-Request-Id': requestId };
  addFields(headers, preflightHeaders(origin));
  return { status: 204, headers, body: '' };
}

/** Accepts GET and HEAD without a body or other parameters, as a worker does. Returns whether it is `verbose`. */
export function requireOperation(
  req: IncomingMessage,
  query: string,
  parameters: readonly 'verbose'[],
): boolean {
  requireRead(req);
  return switched('verbose', parseQuery(query, parameters).verbose);
}

function requireRead(req: IncomingMessage): void {
  const { method = 'GET' } = req;
  if (method !== 'GET' && method !== 'HEAD') throw methodNotAllowed(method, 'GET, HEAD');
  if (announcesBody(req)) throw bodyNotTaken(method);
}

/** An error that is no problem is a defect, which the log gets. */
export function refusal(req: IncomingMessage, requestId: string, error: unknown): FallbackResponse {
  const problem = error instanceof ProblemError ? error : new ProblemError('internal-error');
  const options = { ...problem.options, requestId, instance: req.url ?? '/' };
  return {
    ...problemResponse(problem.slug, options),
    problem: problem.slug,
    ...(problem === error ? {} : { error }),
  };
}

export function ok(contentType: string, body: string, requestId: string): ProblemResponse {
  const headers = {
    'Content-Type': contentType,
    'Content-Length': String(Buffer.byteLength(body)),
    ...bodyFields,
    'X-Request-Id': requestId,
  };
  return { status: 200, headers, body };
}
