import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { ClientGoneError } from '../../errors/client-gone.ts';
import { ProblemError, type ProblemOptions, type ProblemSlug } from '../../errors/problems.ts';
import { isReadingPaused } from '../body/read-pause.ts';
import { requestIdOf } from '../request/request-id.ts';
import { problemResponse } from '../response/problem.ts';
import type { ConnectionState } from './connection-state.ts';
import { postponeHeadTimeout } from './head-timeout.ts';
import { discardInput, isClosing, lingerClose } from './linger.ts';

/** An error of node:http with the bytes of a client; `reason` is given by its parser. */
export type ClientError = Error & {
  code?: string;
  reason?: string;
  /** The packet that the parser was reading, and how many bytes of it it had parsed. */
  rawPacket?: Buffer;
  bytesParsed?: number;
};

/** Bytes that are no request, for the log and the metrics. */
export interface MalformedRequest {
  readonly requestId: string;
  /** The code of node:http, or its message. */
  readonly error: string;
  readonly problem: ProblemSlug;
}

/** The code of node:http for a head that took too long. */
const HEAD_TIMEOUT = 'ERR_HTTP_REQUEST_TIMEOUT';

/**
 * Responds to bytes that are not an HTTP request, and closes the connection. Earlier requests get their
 * responses first. When the bytes are in the body of a request, that request gets the problem as its
 * response, unless its response has begun; otherwise the problem follows the last response as one of
 * its own. A client that ends its side inside a body counts as disconnected.
 */
export function respondToClientError(
  report: (malformed: MalformedRequest) => void,
  error: ClientError,
  socket: Socket,
  connection: ConnectionState,
  headTimeoutMs: number,
): void {
  if (error.code === HEAD_TIMEOUT && isReadingPaused(socket)) {
    postponeHeadTimeout(socket, connection, headTimeoutMs, () =>
      respondToClientError(report, error, socket, connection, headTimeoutMs),
    );
    return;
  }
  const fault = faultOf(error);
  if (fault === undefined) {
    socket.destroy();
    return;
  }
  const { latest } = connection;
  const isInBody = latest !== undefined && !latest.req.complete;
  const endsBefore = connection.isClosing && !isInBody;
  // The parser also reports everything behind the first fault.
  const isKnown = connection.bodyFault !== undefined || isClosing(socket);
  if (endsBefore || isKnown) {
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
  report({ requestId, error: error.code ?? error.message, problem: fault.slug });
  const respond = (): void => {
    if (!socket.destroyed && !isClosing(socket)) writeProblem(socket, fault, requestId);
  };
  if (latest === undefined || latest.closed) respond();
  else latest.once('close', respond);
}

/** Fails the body of the latest request. A request that still waits for its turn fails when it is served. */
function failBody(connection: ConnectionState, socket: Socket, fault: Error): void {
  const { serving, latest } = connection;
  connection.bodyFault = fault;
  // A response that has begun before its request is complete is a refusal, which closes by itself.
  if (serving === undefined || serving.res !== latest || serving.res.headersSent) return;
  serving.bodyFault = fault;
  if (fault instanceof ClientGoneError) socket.destroy();
  else serving.body?.fail(fault);
}

/** Whether the client has ended its side in the middle of a request. */
const hasEnded = ({ code }: ClientError): boolean => code === 'HPE_INVALID_EOF_STATE';

/** The problem with bytes that are not an HTTP request; undefined when the client has disconnected. */
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
      // Together with a Content-Length, two parsers could read two different bodies, whatever the coding.
      return reason?.includes('Content-Length') ? 'malformed-request' : 'not-implemented';
    case 'HPE_PAUSED_H2_UPGRADE':
      // The preface of HTTP/2.
      return 'http-version-not-supported';
    case HEAD_TIMEOUT:
      return 'request-timeout';
    default:
      return 'malformed-request';
  }
}

/**
 * Whether the line that was too long began as a request's: a method and a target without an end. A
 * line whose beginning was in an earlier packet can't be distinguished from a header.
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

/**
 * Writes a whole response on a bare socket, for requests that never become a ServerResponse, and closes
 * the connection. Returns the number of bytes of the body.
 */
export function writeProblem(
  socket: Socket,
  fault: ProblemError,
  requestId: string,
  target?: string,
): number {
  const instance = target === undefined ? {} : { instance: target };
  const { status, headers, body } = problemResponse(fault.slug, {
    ...fault.options,
    ...instance,
    requestId,
  });
  const fields = { ...headers, Date: new Date().toUTCString(), Connection: 'close' };
  const head = Object.entries(fields)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');
  socket.write(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${head}\r\n${body}`);
  lingerClose(socket);
  return Buffer.byteLength(body);
}
