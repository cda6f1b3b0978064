import type { Duplex } from 'node:stream';
import { ProblemError, type ProblemOptions, type ProblemSlug } from '../errors.ts';
import type { Exchange } from './exchange.ts';
import type { Logger } from './log.ts';
import { problemResponse } from './problem.ts';
import { requestIdOf } from './request-id.ts';

const REASONS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  408: 'Request Timeout',
  414: 'URI Too Long',
  431: 'Request Header Fields Too Large',
  501: 'Not Implemented',
};

/** A peer that sends on after the answer, or does not close, is given this long. */
const LINGER_MS = 2_000;

/** What node:http says is wrong; `reason` is its parser's. */
export type ClientError = Error & {
  code?: string;
  reason?: string;
  /** What it was reading, and how far it came. */
  rawPacket?: Buffer;
  bytesParsed?: number;
};

/** Connections that were found wrong: their parser complains again about all that still comes. */
const answered = new WeakSet<Duplex>();

/**
 * Answers bytes that are no HTTP request, and closes. When they stand in a body, its request is
 * answered; when they follow a request, that keeps its answer. Nothing is written into a response
 * that has begun, since it would be taken for a part of it; nor to a peer that is gone.
 */
export function answerClientError(
  logger: Logger,
  error: ClientError,
  socket: Duplex,
  exchange: Exchange | undefined,
): void {
  const fault = faultOf(error);
  if (fault === undefined) {
    socket.destroy();
    return;
  }
  // We have said our last word already, and only wait for the peer to see it.
  if (answered.has(socket) || socket.writableEnded) return;
  answered.add(socket);
  if (exchange !== undefined && !exchange.req.complete && !exchange.res.headersSent) {
    exchange.bodyFault = fault;
    exchange.interrupt?.(fault);
    return;
  }
  const requestId = exchange?.requestId ?? requestIdOf(undefined);
  logger.info(
    { requestId, error: error.code ?? error.message, problem: fault.slug },
    'malformed request',
  );
  if (exchange === undefined) writeProblem(socket, fault, requestId);
  else if (exchange.req.complete) closeAfter(exchange, socket);
  else socket.destroy();
}

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

const detailOf = ({ code, reason }: ClientError): ProblemOptions => {
  if (code === 'HPE_INVALID_EOF_STATE') {
    return { detail: 'The connection ended in the middle of the request.' };
  }
  return reason === undefined ? {} : { detail: `${reason}.` };
};

function closeAfter({ res }: Exchange, socket: Duplex): void {
  if (!res.headersSent) res.shouldKeepAlive = false;
  res.once('finish', () => socket.end());
}

/** Writes a whole response on a bare socket, for requests that never become a ServerResponse. */
export function writeProblem(socket: Duplex, fault: ProblemError, requestId: string): void {
  const answer = problemResponse(fault.slug, { ...fault.options, requestId });
  const head = Object.entries({ ...answer.headers, Connection: 'close' })
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');
  const reason = REASONS[answer.status] ?? 'Error';
  socket.write(`HTTP/1.1 ${answer.status} ${reason}\r\n${head}\r\n${answer.body}`);
  closeGently(socket);
}

/**
 * Ends our side, and the connection when the peer has ended its own or its time is over: to close
 * while it still sends would reset the connection, and the answer might be lost.
 */
export function closeGently(socket: Duplex): void {
  socket.end();
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once('close', () => clearTimeout(timer));
  socket.resume();
}
