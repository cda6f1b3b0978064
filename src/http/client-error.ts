import type { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import type { ProblemOptions, ProblemSlug } from '../errors.ts';
import { problemResponse } from './problem.ts';
import { requestIdOf } from './request-id.ts';

const REASONS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  431: 'Request Header Fields Too Large',
  501: 'Not Implemented',
};

const SLUG_OF_ERROR: Readonly<Record<string, ProblemSlug>> = {
  HPE_HEADER_OVERFLOW: 'headers-too-large',
  HPE_INVALID_TRANSFER_ENCODING: 'not-implemented',
  ERR_HTTP_REQUEST_TIMEOUT: 'request-timeout',
};

/** A socket, with what node:http knows of it. */
type HttpSocket = Duplex & { readonly bytesWritten?: number };

/**
 * Answers bytes that are no HTTP request, and closes. Nothing is written when a response has begun
 * on the connection, since that would be taken for a part of it; nor to a peer that is gone.
 */
export function answerClientError(
  logger: Logger,
  error: Error & { code?: string },
  socket: HttpSocket,
  responding: boolean,
): void {
  if (error.code === 'ECONNRESET' || error.code === 'EPIPE' || !socket.writable) {
    socket.destroy();
    return;
  }
  const slug = SLUG_OF_ERROR[error.code ?? ''] ?? 'malformed-request';
  logger.info({ error: error.code ?? error.message, problem: slug }, 'malformed request');
  if (responding) socket.destroy();
  else writeProblem(socket, slug, {});
}

/** Writes a whole response on a bare socket, for requests that never become a ServerResponse. */
export function writeProblem(socket: Duplex, slug: ProblemSlug, options: ProblemOptions): void {
  const answer = problemResponse(slug, { ...options, requestId: requestIdOf(undefined) });
  const head = Object.entries({ ...answer.headers, Connection: 'close' })
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');
  const reason = REASONS[answer.status] ?? 'Error';
  socket.end(`HTTP/1.1 ${answer.status} ${reason}\r\n${head}\r\n${answer.body}`, () => {
    socket.destroy();
  });
}
