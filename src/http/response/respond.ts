import { ProblemError, type ProblemOptions, type ProblemSlug } from '../../errors/problems.ts';
import { SMALL_BLOCK_BYTES } from '../../native/abi/limits.ts';
import type { Block } from '../../native/abi/types.ts';
import { noHeaders, ONE_WRITE_BYTES, sendInOneWrite } from '../../node-internals/one-write.ts';
import { type Exchange, endExchange } from '../exchange.ts';
import { announcesBody } from '../request/framing.ts';
import { corsHeaders, preflightHeaders } from './cors.ts';
import {
  addExchangeHeaders,
  bodyHeaders,
  emptyHeaders,
  type ResponseHead,
  timingOf,
} from './headers.ts';
import { addFields, problemResponse, sendLastResponse } from './problem.ts';
import { ResponseSender } from './sender.ts';
import { blockBody, textBody, type WholeBody } from './whole-body.ts';

/** Sends a complete text, or a response without a body. */
export function respond(exchange: Exchange, head: ResponseHead, body = ''): void {
  addExchangeHeaders(exchange, head.headers);
  sendWhole(exchange, head, textBody(exchange.method === 'HEAD' ? '' : body));
}

/** Permits what a page of an allowed origin is about to request. */
export function respondPreflight(exchange: Exchange, origin: string): void {
  exchange.allowedOrigin = undefined;
  respond(exchange, { status: 204, fixed: emptyHeaders, headers: preflightHeaders(origin) });
}

/** Sends a complete text. */
export function respondText(
  exchange: Exchange,
  contentType: string,
  text: string,
  status = 200,
): void {
  const length = String(Buffer.byteLength(text));
  const headers = ['Content-Type', contentType, 'Content-Length', length];
  respond(exchange, { status, fixed: bodyHeaders, headers }, text);
}

export const respondJson = (exchange: Exchange, value: unknown, status = 200): void =>
  respondText(exchange, 'application/json', `${JSON.stringify(value)}\n`, status);

/**
 * Sends the bytes of a block from `start` to before `end`, and releases the block once they are sent or
 * the connection is closed. Until then the socket reads from the block.
 */
export function respondBlock(
  exchange: Exchange,
  head: ResponseHead,
  block: Block,
  start: number,
  end: number,
): void {
  head.headers.push('Content-Length', String(end - start));
  if (end - start <= ONE_WRITE_BYTES && !exchange.res.closed) {
    addExchangeHeaders(exchange, head.headers);
    sendWhole(exchange, head, blockBody(block, start, end));
    block.release();
    return;
  }
  const sender = new ResponseSender(exchange, head, block.length > SMALL_BLOCK_BYTES);
  sender.bytes(block, start, end);
  sender.afterwards(() => block.release());
  sender.end();
}

/** Sends a complete small response, in one write where that is possible, and ends the exchange. */
function sendWhole(
  exchange: Exchange,
  { status, fixed, headers }: ResponseHead,
  body: WholeBody,
): void {
  const { res, gateway } = exchange;
  const { draining, limits } = gateway;
  exchange.bytesOut += body.bytes;
  if (
    draining ||
    body.bytes > ONE_WRITE_BYTES ||
    !sendInOneWrite(res, status, fixed, headers, limits.keepAliveMs, body)
  ) {
    res.writeHead(status, [...fixed.list, ...headers]);
    body.end(res);
  }
  endExchange(exchange);
}

/** The logger marks the errors that it has seen, which a frozen problem of many items does not allow. */
const loggable = (error: unknown): unknown =>
  error instanceof ProblemError && Object.isFrozen(error)
    ? new ProblemError(error.slug, error.options)
    : error;

/**
 * Responds with an error. A ProblemError is sent as it is; any other error is a defect of the gateway,
 * which is logged with its cause and sent as internal-error. When the response has begun, the gateway
 * breaks its connection, since a truncated body must never look complete.
 */
export function respondError(exchange: Exchange, error: unknown): void {
  const { res } = exchange;
  if (!(error instanceof ProblemError)) exchange.error = error;
  if (res.headersSent || res.destroyed) {
    // Only the log has this failure. If the client had disconnected before, it is not a failure of the gateway.
    if (!res.destroyed) exchange.error ??= loggable(error);
    res.destroy();
    endExchange(exchange);
    return;
  }
  const problem = error instanceof ProblemError ? error : new ProblemError('internal-error');
  respondProblem(exchange, problem.slug, problem.options);
}

function respondProblem(exchange: Exchange, slug: ProblemSlug, options: ProblemOptions): void {
  const { req, res, method, gateway, requestId, allowedOrigin } = exchange;
  exchange.problem = slug;
  const response = problemResponse(slug, { ...options, requestId, instance: req.url ?? '/' });
  const { timing } = exchange;
  if (timing !== undefined) response.headers['Server-Timing'] = timingOf(exchange, timing);
  if (allowedOrigin !== undefined) addFields(response.headers, corsHeaders(allowedOrigin));
  if (!req.complete && announcesBody(req)) {
    if (method !== 'HEAD') exchange.bytesOut += Buffer.byteLength(response.body);
    exchange.connection.isOver = true;
    sendLastResponse(res, method, response);
    endExchange(exchange);
    return;
  }
  if (gateway.draining) response.headers['Connection'] = 'close';
  const headers = Object.entries(response.headers).flat();
  const body = textBody(method === 'HEAD' ? '' : response.body);
  sendWhole(exchange, { status: response.status, fixed: noHeaders, headers }, body);
}
