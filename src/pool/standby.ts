/**
 * Answers while no worker can: 503 to everything, except that the process lives and has metrics.
 * Each connection gets one answer and is closed, so that its client comes back through the port and
 * reaches a worker as soon as there is one.
 */
import http from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { ProblemError, type ProblemOptions, type ProblemSlug } from '../errors.ts';
import { browserGuard } from '../http/host.ts';
import { type ProblemResponse, problemResponse } from '../http/problem.ts';
import { answerLast } from '../http/refuse.ts';
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
/** Requests that may stand behind the one that is answered; each costs memory until its connection ends. */
const mostUnanswered = 100;

export interface Standby {
  /** Serves one paused connection. */
  accept(socket: Socket): void;
}

export function createStandby(options: StandbyOptions): Standby {
  const guard = browserGuard(options);
  /** Requests so far, of connections that have one. */
  const requests = new WeakMap<Duplex, number>();

  /**
   * Whether this is the first request of a connection, the only one that is answered. The answer ends
   * the connection, and node:http fails an assertion of its own, which nobody can catch, when answers
   * behind an unfinished one are finished on a connection that breaks.
   */
  function isFirst(socket: Duplex): boolean {
    const before = requests.get(socket) ?? 0;
    requests.set(socket, before + 1);
    if (before > mostUnanswered) socket.destroy();
    return before === 0;
  }

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

  function serve(req: http.IncomingMessage, res: http.ServerResponse): void {
    req.on('error', () => {});
    res.on('error', () => {});
    if (!isFirst(req.socket)) {
      req.resume();
      return;
    }
    const { method = 'GET' } = req;
    const requestId = requestIdOf(req.headers['x-request-id']);
    void answer(req, requestId).then(({ status, headers, body, ...reasons }) => {
      options.onAnswer({ status, requestId, method, ...reasons });
      answerLast({ req, res, method }, { status, headers, body });
    });
  }

  // Node's own answer to a request without Host would be no problem document.
  const server = http.createServer({ requireHostHeader: false }, serve);
  // The answer is final: no one is invited to send a body that would only be thrown away.
  server.on('checkContinue', serve);
  server.on('checkExpectation', serve);
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (!socket.writable || requests.has(socket)) return;
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
