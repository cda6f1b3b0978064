import { ProblemError, type ProblemOptions, type ProblemSlug } from '../errors.ts';
import {
  type FixedHeaders,
  fixedHeaders,
  noHeaders,
  sendInOneWrite,
} from '../node-internals/one-write.ts';
import { type Exchange, endExchange, type Gateway } from './exchange.ts';
import { isolationHeaders } from './isolation.ts';
import { problemResponse } from './problem.ts';
import { answerLast, hasUnreadBody } from './refuse.ts';

/** Header names and values in turn, as writeHead takes them: cheaper than an object. */
export type HeaderList = string[];

/** Of a response that has no other fixed headers. */
export const commonHeaders = fixedHeaders(isolationHeaders);

/** Writes the head of a response; while draining, the connection is told to close. */
export function writeHead(
  gateway: Gateway,
  exchange: Exchange,
  status: number,
  fixed: FixedHeaders,
  headers: HeaderList,
): void {
  headers.push('X-Request-Id', exchange.requestId);
  if (gateway.draining) headers.push('Connection', 'close');
  exchange.res.writeHead(status, [...fixed.list, ...headers]);
}

/** Sends a whole small response, with one write where that is possible, and counts it. */
export function sendWhole(
  gateway: Gateway,
  exchange: Exchange,
  status: number,
  fixed: FixedHeaders,
  headers: HeaderList,
  body: string,
  encoding: 'latin1' | 'utf8',
): void {
  const { res } = exchange;
  const { keepAliveMs } = gateway.limits;
  const { draining } = gateway;
  if (draining || !sendInOneWrite(res, status, fixed, headers, keepAliveMs, body, encoding)) {
    if (draining) headers.push('Connection', 'close');
    res.writeHead(status, [...fixed.list, ...headers]);
    res.end(body, encoding);
  }
  endExchange(gateway, exchange);
}

/** A response that is complete with its text, or has no body. */
export function respond(
  gateway: Gateway,
  exchange: Exchange,
  status: number,
  headers: HeaderList,
  body?: string,
): void {
  headers.push('X-Request-Id', exchange.requestId);
  const text = body === undefined || exchange.method === 'HEAD' ? '' : body;
  if (text !== '') exchange.bytesOut += Buffer.byteLength(text);
  sendWhole(gateway, exchange, status, commonHeaders, headers, text, 'utf8');
}

/** A JSON answer of status 200. */
export function respondJson(gateway: Gateway, exchange: Exchange, value: unknown): void {
  const text = `${JSON.stringify(value)}\n`;
  const headers = [
    'Content-Type',
    'application/json',
    'Content-Length',
    String(Buffer.byteLength(text)),
    'Cache-Control',
    'no-store',
    'X-Content-Type-Options',
    'nosniff',
  ];
  respond(gateway, exchange, 200, headers, text);
}

/** The logger marks the errors that it has seen, which a frozen problem of many items does not allow. */
const loggable = (error: unknown): unknown =>
  error instanceof ProblemError && Object.isFrozen(error)
    ? new ProblemError(error.slug, error.options)
    : error;

/**
 * Answers with what went wrong. A ProblemError is told as it is; anything else is a defect of ours,
 * logged with its cause and told as internal-error. When the response has begun, its connection is
 * broken, since a truncated body must never look complete.
 */
export function respondError(gateway: Gateway, exchange: Exchange, error: unknown): void {
  const { res } = exchange;
  if (!(error instanceof ProblemError)) exchange.error = error;
  if (res.headersSent || res.destroyed) {
    // Only the log tells of it, unless the client had left before: then it is no failure of ours.
    if (!res.destroyed) exchange.error ??= loggable(error);
    res.destroy();
    endExchange(gateway, exchange);
    return;
  }
  const problem = error instanceof ProblemError ? error : new ProblemError('internal-error');
  respondProblem(gateway, exchange, problem.slug, problem.options);
}

export function respondProblem(
  gateway: Gateway,
  exchange: Exchange,
  slug: ProblemSlug,
  options: ProblemOptions,
): void {
  exchange.problem = slug;
  const answer = problemResponse(slug, {
    ...options,
    requestId: exchange.requestId,
    instance: exchange.req.url ?? '/',
  });
  const text = exchange.method === 'HEAD' ? '' : answer.body;
  exchange.bytesOut += Buffer.byteLength(text);
  if (hasUnreadBody(exchange)) {
    answerLast(exchange, answer);
    endExchange(gateway, exchange);
    return;
  }
  const headers = Object.entries(answer.headers).flat();
  sendWhole(gateway, exchange, answer.status, noHeaders, headers, text, 'utf8');
}
