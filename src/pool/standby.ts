/**
 * Answers while no worker can: 503 to everything, except that the process lives and has metrics.
 * Each connection gets one answer and is closed, so that its client comes back through the port and
 * reaches a worker as soon as there is one.
 */
import http from 'node:http';
import type { Socket } from 'node:net';
import { ProblemError, type ProblemOptions, type ProblemSlug } from '../errors.ts';
import { browserGuard } from '../http/host.ts';
import { type ProblemResponse, problemResponse } from '../http/problem.ts';
import { requestIdOf } from '../http/request-id.ts';

export interface StandbyOptions {
  readonly allowHosts: readonly string[];
  readonly allowOrigins: readonly string[];
  /** Why there is no worker, in a sentence, and when to try again. */
  readonly situation: () => { detail: string; retryAfterSeconds: number };
  readonly metricsText: () => Promise<{ contentType: string; body: string }>;
  readonly onAnswer: (answer: StandbyAnswer) => void;
}

/** One answer, for the log and the metrics. */
export interface StandbyAnswer {
  readonly status: number;
  readonly requestId: string;
  /** Absent when the request was no HTTP. */
  readonly method?: string | undefined;
  readonly problem?: ProblemSlug;
  /** What nobody expected. */
  readonly error?: unknown;
}

type Answer = ProblemResponse & { problem?: ProblemSlug; error?: unknown };

/** Whatever a client does, its connection ends after so long. */
const connectionMs = 35_000;
/** What a refused client still sends is discarded, so that it sees the answer and not a broken pipe. */
const discardIdleMs = 2000;
const discardBytes = 2 ** 30;

export interface Standby {
  /** Serves one paused connection. */
  accept(socket: Socket): void;
}

export function createStandby(options: StandbyOptions): Standby {
  const guard = browserGuard(options);

  async function answer(request: http.IncomingMessage, requestId: string): Promise<Answer> {
    try {
      guard(request.headers.host, request.headers.origin);
      const path = request.url?.split('?', 1)[0];
      const reads = request.method === 'GET' || request.method === 'HEAD';
      if (reads && path === '/livez')
        return ok('application/json', '{"status":"live"}\n', requestId);
      if (reads && path === '/metrics') {
        const { contentType, body } = await options.metricsText();
        return ok(contentType, body, requestId);
      }
      const { detail, retryAfterSeconds } = options.situation();
      const headers = { 'Retry-After': String(retryAfterSeconds) };
      return refusal('not-ready', requestId, { detail, headers });
    } catch (error) {
      if (error instanceof ProblemError) return refusal(error.slug, requestId, error.options);
      return { ...refusal('internal-error', requestId), error };
    }
  }

  function serve(request: http.IncomingMessage, response: http.ServerResponse): void {
    request.on('error', () => {});
    response.on('error', () => {});
    const { method } = request;
    const requestId = requestIdOf(request.headers['x-request-id']);
    void answer(request, requestId).then(({ status, headers, body, ...reasons }) => {
      options.onAnswer({ status, requestId, method, ...reasons });
      response.writeHead(status, { ...headers, Connection: 'close' });
      if (method === 'HEAD') response.flushHeaders();
      else response.write(body);
      discardRest(request, response);
    });
  }

  // Node's own answer to a request without Host would be no problem document.
  const server = http.createServer({ requireHostHeader: false }, serve);
  // The answer is final: no one is invited to send a body that would only be thrown away.
  server.on('checkContinue', serve);
  server.on('checkExpectation', serve);
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (!socket.writable) return;
    const slug = error.code === 'HPE_HEADER_OVERFLOW' ? 'headers-too-large' : 'malformed-request';
    const requestId = requestIdOf(undefined);
    const { status, headers, body, problem } = refusal(slug, requestId);
    options.onAnswer({ status, requestId, problem });
    const lines = Object.entries({ ...headers, Connection: 'close' });
    const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
    socket.end(`HTTP/1.1 ${status} ${http.STATUS_CODES[status] ?? ''}\r\n${head}\r\n${body}`);
  });

  return {
    accept(socket) {
      const timer = setTimeout(() => socket.destroy(), connectionMs).unref();
      socket.once('close', () => clearTimeout(timer));
      socket.on('error', () => {});
      server.emit('connection', socket);
      socket.resume();
    },
  };
}

function refusal(problem: ProblemSlug, requestId: string, options: ProblemOptions = {}) {
  return { ...problemResponse(problem, { ...options, requestId }), problem };
}

function ok(contentType: string, body: string, requestId: string): ProblemResponse {
  const headers = {
    'Content-Type': contentType,
    'Content-Length': String(Buffer.byteLength(body)),
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    'X-Request-Id': requestId,
  };
  return { status: 200, headers, body };
}

/** Ends the response, and with it the connection, once the request has been read to its end or a limit. */
function discardRest(request: http.IncomingMessage, response: http.ServerResponse): void {
  let bytes = 0;
  const giveUp = () => request.socket.destroy();
  const timer = setTimeout(giveUp, discardIdleMs).unref();
  request.on('data', (chunk: Buffer) => {
    timer.refresh();
    bytes += chunk.length;
    if (bytes > discardBytes) giveUp();
  });
  const finish = () => {
    clearTimeout(timer);
    response.end();
  };
  if (request.readableEnded) finish();
  else request.once('end', finish).once('close', finish);
}
