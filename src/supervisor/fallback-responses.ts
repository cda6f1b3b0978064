import type { IncomingMessage } from 'node:http';
import { ProblemError, type ProblemSlug } from '../errors/problems.ts';
import { announcesBody, bodyNotTaken, checkTransferEncoding } from '../http/request/framing.ts';
import { parseQuery, switched } from '../http/request/query.ts';
import { parseTarget } from '../http/request/target.ts';
import { bodyFields } from '../http/response/headers.ts';
import {
  methodNotAllowed,
  type ProblemResponse,
  problemResponse,
} from '../http/response/problem.ts';
import { checkHead, type Expectation } from '../http/security/head.ts';
import type { BrowserGuard } from '../http/security/host.ts';
import type { MetricsText } from '../messages/protocol.ts';
import type { PoolReport } from '../messages/report.ts';
import type { Unavailability } from './unavailable-reason.ts';

/** The state of the pool, from which responses without a worker are made. */
export interface PoolFacts {
  /** Why there is no worker, in a sentence, and the time until a retry. */
  readonly unavailability: () => Unavailability;
  readonly metricsText: () => Promise<MetricsText>;
  /** The state of each worker. */
  readonly report: () => PoolReport;
}

/** One request, as far as a response without a worker depends on it. */
export interface FallbackRequest {
  readonly req: IncomingMessage;
  readonly requestId: string;
  readonly expectation: Expectation;
}

/** A response, with its problem and what a defect threw, for the log. */
export type FallbackResponse = ProblemResponse & { problem?: ProblemSlug; error?: unknown };

/** The operations that need no worker, with their parameters. Readiness always fails here. */
const operations: ReadonlyMap<string, readonly 'verbose'[]> = new Map([
  ['/livez', []],
  ['/readyz', ['verbose']],
  ['/metrics', []],
  ['/v1/clients', []],
]);

/**
 * The response to a request while no worker serves: 503, except that the process lives, has metrics and
 * reports its clients. A request that a worker would refuse by its head alone is refused alike.
 */
export async function fallbackResponse(
  { req, requestId, expectation }: FallbackRequest,
  guard: BrowserGuard,
  { unavailability, metricsText, report }: PoolFacts,
): Promise<FallbackResponse> {
  try {
    checkHead(req, expectation, guard);
    checkTransferEncoding(req);
    const { path, query } = parseTarget(req.url ?? '/');
    const parameters = operations.get(path);
    const verbose = parameters !== undefined && requireOperation(req, query, parameters);
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

/** Accepts GET and HEAD without a body or other parameters, as a worker does. Returns whether it is `verbose`. */
function requireOperation(
  req: IncomingMessage,
  query: string,
  parameters: readonly 'verbose'[],
): boolean {
  const { method = 'GET' } = req;
  if (method !== 'GET' && method !== 'HEAD') throw methodNotAllowed(method, 'GET, HEAD');
  if (announcesBody(req)) throw bodyNotTaken(method);
  return switched('verbose', parseQuery(query, parameters).verbose);
}

/** An error that is no problem is a defect, which the log gets. */
function refusal(req: IncomingMessage, requestId: string, error: unknown): FallbackResponse {
  const problem = error instanceof ProblemError ? error : new ProblemError('internal-error');
  const options = { ...problem.options, requestId, instance: req.url ?? '/' };
  return {
    ...problemResponse(problem.slug, options),
    problem: problem.slug,
    ...(problem === error ? {} : { error }),
  };
}

function ok(contentType: string, body: string, requestId: string): ProblemResponse {
  const headers = {
    'Content-Type': contentType,
    'Content-Length': String(Buffer.byteLength(body)),
    ...bodyFields,
    'X-Request-Id': requestId,
  };
  return { status: 200, headers, body };
}
