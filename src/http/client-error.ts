import type { Socket } from 'node:net';
import { ProblemError, type ProblemOptions, type ProblemSlug } from '../errors.ts';
import { ClientGoneError } from '../store/client-gone.ts';
import type { ConnectionState } from './connection-state.ts';
import { discardInput, lingerClose } from './linger.ts';
import type { Logger } from './log.ts';
import { problemResponse } from './problem.ts';
import { requestIdOf } from './request-id.ts';

const REASONS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  408: 'Request Timeout',
  414: 'URI Too Long',
  431: 'Request Header Fields Too Large',
  501: 'Not Implemented',
  505: 'HTTP Version Not Supported',
};

/** What node:http says is wrong; `reason` is its parser's. */
export type ClientError = Error & {
  code?: string;
  reason?: string;
  /** What it was reading, and how far it came. */
  rawPacket?: Buffer;
  bytesParsed?: number;
};

/**
 * Responds to bytes that are no HTTP request, and closes the connection. Requests that came before
 * them are answered first. When the bytes stand in the body of a request, that request gets the
 * problem as its response, unless its response has begun; otherwise the problem follows the last
 * response as one of its own. A client that ends its side inside a body has left.
 */
export function answerClientError(
  logger: Logger,
  error: ClientError,
  socket: Socket,
  connection: ConnectionState,
): void {
  const fault = faultOf(error);
  if (fault === undefined) {
    socket.destroy();
    return;
  }
  const { latest } = connection;
  const isInBody = latest !== undefined && !latest.req.complete;
  const isClosing = connection.isClosing && !isInBody;
  // The parser finds fault with everything that comes behind the first fault, too.
  const isKnown = connection.bodyFault !== undefined || socket.writableEnded;
  if (isClosing || isKnown) {
    discardInput(socket);
    return;
  }
  connection.isClosing = true;
  discardInput(socket);
  if (isInBody) {
    failBody(connection, socket, hasEnded(error) ? new ClientGoneError() : fault);
    return;
  }
  const requestId = connection.serving?.requestId ?? requestIdOf(undefined);
  logger.info(
    { requestId, error: error.code ?? error.message, problem: fault.slug },
    'malformed request',
  );
  const respond = (): void => {
    if (!socket.destroyed && !socket.writableEnded) writeProblem(socket, fault, requestId);
  };
  if (latest === undefined || latest.closed) respond();
  else latest.once('close', respond);
}

/** The body of the latest request will not be complete; when its turn is still to come, it learns then. */
function failBody(connection: ConnectionState, socket: Socket, fault: Error): void {
  const { serving, latest } = connection;
  connection.bodyFault = fault;
  // A response that has begun before its request is complete is a refusal, which closes by itself.
  if (serving === undefined || serving.res !== latest || serving.res.headersSent) return;
  serving.bodyFault = fault;
  if (fault instanceof ClientGoneError) socket.destroy();
  else serving.interrupt?.(fault);
}

/** Whether the client has ended its side in the middle of a request. */
const hasEnded = ({ code }: ClientError): boolean => code === 'HPE_INVALID_EOF_STATE';

/** The problem with bytes that are no HTTP request; undefined when their sender is simply gone. */
export function faultOf(error: ClientError): ProblemError | undefined {
  if (error.code === 'ECONNRESET' || error.code === 'EPIPE') return undefined;
  return new ProblemError(slugOf(error), detailOf(error));
}

function slugOf(error: ClientError): ProblemSlug {
  const { code, reason } = error;
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return overflowsInTarget(error) ? 'uri-too-long' : 'headers-too-large';
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return 'headers-too-large';
    case 'HPE_INVALID_TRANSFER_ENCODING':
      // Beside a Content-Length it is an attempt to be understood in two ways, whatever the coding.
      return reason?.includes('Content-Length') ? 'malformed-request' : 'not-implemented';
    case 'HPE_PAUSED_H2_UPGRADE':
      // The preface of HTTP/2.
      return 'http-version-not-supported';
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return 'request-timeout';
    default:
      return 'malformed-request';
  }
}

/**
 * Whether the line that was too long began as a request's: a method and a target without an end. A
 * line whose beginning came in an earlier packet can't be told from a header.
 */
function overflowsInTarget({ rawPacket, bytesParsed }: ClientError): boolean {
  if (rawPacket === undefined) return false;
  const line = rawPacket.subarray(rawPacket.lastIndexOf('\n', bytesParsed) + 1, bytesParsed);
  return /^[A-Z-]+ \S*$/.test(line.toString('latin1'));
}

const detailOf = (error: ClientError): ProblemOptions => {
  const { code, reason } = error;
  if (code === 'HPE_PAUSED_H2_UPGRADE') return {};
  if (hasEnded(error)) {
    return { detail: 'The connection ended in the middle of the request.' };
  }
  return reason === undefined ? {} : { detail: `${reason}.` };
};

/** Writes a whole response on a bare socket, for requests that never become a ServerResponse. */
export function writeProblem(socket: Socket, fault: ProblemError, requestId: string): void {
  const answer = problemResponse(fault.slug, { ...fault.options, requestId });
  const head = Object.entries({ ...answer.headers, Connection: 'close' })
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');
  const reason = REASONS[answer.status] ?? 'Error';
  socket.write(`HTTP/1.1 ${answer.status} ${reason}\r\n${head}\r\n${answer.body}`);
  lingerClose(socket);
}
