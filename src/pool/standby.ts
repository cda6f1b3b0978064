/**
 * Answers while no worker can: 503 to everything, except that the process lives and has metrics.
 * Each connection gets one answer and is closed, so that its client comes back through the port and
 * reaches a worker as soon as there is one. What is refused whatever it asks for is refused as a
 * worker would.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { ProblemError, type ProblemSlug, problemKinds } from '../errors.ts';
import { type ClientError, faultOf, writeProblem } from '../http/client-error.ts';
import { checkTransferCoding } from '../http/codings.ts';
import { respondToConnect } from '../http/connect.ts';
import { createConnectionServer } from '../http/connection-server.ts';
import { checkHead, type Expectation, problemOfConnect } from '../http/head.ts';
import { browserGuard } from '../http/host.ts';
import { isolationFields } from '../http/isolation.ts';
import { discardInput } from '../http/linger.ts';
import { type ProblemResponse, problemResponse } from '../http/problem.ts';
import { parseQuery, switched } from '../http/query.ts';
import { announcesBody, answerLast, bodyNotTaken, methodNotAllowed } from '../http/refuse.ts';
import { requestIdOf } from '../http/request-id.ts';
import { parseTarget } from '../http/target.ts';
import type { PoolReport } from './report.ts';
import type { Situation } from './situation.ts';

export interface StandbyOptions {
  readonly allowHosts: readonly string[];
  readonly allowOrigins: readonly string[];
  /** How long the head of a request may take. */
  readonly idleTimeoutMs: number;
  /** Why there is no worker, in a sentence, and when to try again. */
  readonly situation: () => Situation;
  readonly metricsText: () => Promise<{ contentType: string; body: string }>;
  /** Each place in the pool. */
  readonly report: () => PoolReport;
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

export interface Standby {
  /** That are open; each has one answer, and ends. */
  readonly connections: number;
  /** Serves one paused connection. */
  accept(socket: Socket): void;
}

export function createStandby(options: StandbyOptions): Standby {
  const guard = browserGuard(options);
  /** Connections whose one response is under way. */
  const answered = new WeakSet<Socket>();

  /**
   * Whether this is the first request of a connection, the only one that is answered: the response ends
   * the connection, and everything behind the request is discarded.
   */
  function isFirst(socket: Socket): boolean {
    if (answered.has(socket)) {
      discardInput(socket);
      return false;
    }
    answered.add(socket);
    return true;
  }

  async function answer(
    req: IncomingMessage,
    requestId: string,
    expectation: Expectation,
  ): Promise<Answer> {
    try {
      checkHead(req, expectation, guard);
      checkTransferCoding(req);
      const { path, query } = parseTarget(req.url ?? '/');
      const known = parameters.get(path);
      const verbose = known !== undefined && requireOperation(req, query, known);
      if (path === '/livez') return ok('application/json', '{"status":"live"}\n', requestId);
      if (path === '/metrics') {
        const { contentType, body } = await options.metricsText();
        return ok(contentType, body, requestId);
      }
      if (path === '/v1/clients') {
        const { clients } = options.report();
        return ok('application/json', `${JSON.stringify({ clients })}\n`, requestId);
      }
      const { detail, retryAfterSeconds } = options.situation();
      const headers = { 'Retry-After': String(retryAfterSeconds) };
      const members = verbose ? { clients: options.report().clients } : {};
      throw new ProblemError('not-ready', { detail, headers, members });
    } catch (error) {
      return refusal(req, requestId, error);
    }
  }

  function tell(req: IncomingMessage, requestId: string, answer: Answer): ProblemResponse {
    const { status, headers, body, ...reasons } = answer;
    options.onAnswer({ status, requestId, method: req.method, ...reasons });
    return { status, headers, body };
  }

  function serve(req: IncomingMessage, res: ServerResponse, expectation: Expectation): void {
    req.on('error', () => {});
    res.on('error', () => {});
    if (!isFirst(req.socket)) return;
    const { method = 'GET' } = req;
    const requestId = requestIdOf(req.headers['x-request-id']);
    void answer(req, requestId, expectation).then((given) => {
      answerLast({ req, res, method }, tell(req, requestId, given));
    });
  }

  const server = createConnectionServer({ idleTimeoutMs: options.idleTimeoutMs });
  server.on('request', (req, res) => serve(req, res, 'none'));
  // The answer is final: no one is invited to send a body that would only be thrown away.
  server.on('checkContinue', (req, res) => serve(req, res, 'continue'));
  server.on('checkExpectation', (req, res) => serve(req, res, 'unknown'));
  server.on('connect', (req) => {
    if (!isFirst(req.socket)) return;
    respondToConnect(req, req.socket, (res) => {
      const requestId = requestIdOf(req.headers['x-request-id']);
      const given = refusal(req, requestId, problemOfConnect(req, guard));
      const { status, headers, body } = tell(req, requestId, given);
      res.writeHead(status, { ...headers, Connection: 'close' });
      res.end(body);
    });
  });
  server.on('clientError', (error: ClientError, socket) => {
    const fault = faultOf(error);
    if (fault === undefined || !(socket instanceof Socket)) {
      socket.destroy();
    } else if (isFirst(socket)) {
      const requestId = requestIdOf(undefined);
      const { slug } = fault;
      options.onAnswer({ status: problemKinds[slug].status, requestId, problem: slug });
      writeProblem(socket, fault, requestId);
    }
  });

  let connections = 0;

  return {
    get connections() {
      return connections;
    },
    accept(socket) {
      connections += 1;
      const timer = setTimeout(() => socket.destroy(), connectionMs).unref();
      socket.once('close', () => {
        connections -= 1;
        clearTimeout(timer);
      });
      socket.on('error', () => {});
      server.emit('connection', socket);
      socket.resume();
    },
  };
}

/** What is served here too, with its parameters; readiness is what there is none of. */
const parameters: ReadonlyMap<string, readonly 'verbose'[]> = new Map([
  ['/livez', []],
  ['/readyz', ['verbose']],
  ['/metrics', []],
  ['/v1/clients', []],
]);

/** As the worker has it: GET and HEAD, without a body or other parameters. Whether it is `verbose`. */
function requireOperation(
  req: IncomingMessage,
  query: string,
  known: readonly 'verbose'[],
): boolean {
  const { method = 'GET' } = req;
  if (method !== 'GET' && method !== 'HEAD') throw methodNotAllowed(method, 'GET, HEAD');
  if (announcesBody(req)) throw bodyNotTaken(method);
  return switched('verbose', parseQuery(query, known).verbose);
}

/** What went wrong, as an answer; anything but a problem is a defect of ours, which the log is told. */
function refusal(req: IncomingMessage, requestId: string, error: unknown): Answer {
  const told = error instanceof ProblemError ? error : new ProblemError('internal-error');
  const options = { ...told.options, requestId, instance: req.url ?? '/' };
  return {
    ...problemResponse(told.slug, options),
    problem: told.slug,
    ...(told === error ? {} : { error }),
  };
}

function ok(contentType: string, body: string, requestId: string): ProblemResponse {
  const headers = {
    'Content-Type': contentType,
    'Content-Length': String(Buffer.byteLength(body)),
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    ...isolationFields,
    'X-Request-Id': requestId,
  };
  return { status: 200, headers, body };
}
