import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Config } from '../config/config.ts';
import { ClientGoneError } from '../errors/client-gone.ts';
import { BodyReceiver, holdBody } from '../http/body/body-receiver.ts';
import { admitClient, beginConnection } from '../http/clients/admit-client.ts';
import type { ClientAddresses } from '../http/clients/client-address.ts';
import {
  type ClientError,
  type MalformedRequest,
  respondToClientError,
} from '../http/connection/client-error.ts';
import { refuseConnect } from '../http/connection/connect.ts';
import type { ConnectionHandler } from '../http/connection/connection-handler.ts';
import { admit, createConnectionStates } from '../http/connection/connection-state.ts';
import { discardInput, isClosing } from '../http/connection/linger.ts';
import { PipelineLimit } from '../http/connection/pipeline-limit.ts';
import {
  abandon,
  attachExchange,
  type Exchange,
  endExchange,
  type Gateway,
  newExchange,
} from '../http/exchange.ts';
import { announcesBody, ignoreBodilessExpectation } from '../http/request/framing.ts';
import { parseTarget } from '../http/request/target.ts';
import { type AllowedOrigin, allowedOrigins, isPreflight } from '../http/response/cors.ts';
import { respondError, respondPreflight } from '../http/response/respond.ts';
import { asksForTiming, RequestTiming } from '../http/response/server-timing.ts';
import { checkHead, type Expectation } from '../http/security/head.ts';
import { type BrowserGuard, browserGuard } from '../http/security/host.ts';
import type { Logger } from '../log/types.ts';
import { isFirst, whenFirst } from '../node-internals/pending-responses.ts';
import { serveData } from '../routes/data.ts';
import { bothTraces, runTraced } from '../scheduler/call-trace.ts';
import type { Tracing } from '../tracing/tracing.ts';
import type { ExchangeRecorder } from './exchange-recorder.ts';

export interface RequestServerOptions {
  readonly config: Pick<
    Config,
    'allowHost' | 'allowOrigin' | 'fastLane' | 'idleTimeoutMs' | 'keepAliveMs'
  >;
  readonly gateway: Gateway;
  readonly addresses: ClientAddresses;
  readonly recorder: ExchangeRecorder;
  readonly logger: Logger;
  /** Undefined when no OpenTelemetry SDK is loaded. */
  readonly tracing: Tracing | undefined;
  /** Loads the Express application, which serves what the fast lane does not. */
  readonly loadApp: () => Promise<RequestListener>;
}

/**
 * Serves the requests of a worker's connections. A connection carries one request at a time: a pipelined
 * request waits until the responses before its own have been sent. Otherwise its response would be queued,
 * and a queued response on a dead socket emits neither finish nor close, so its block would leak.
 */
export class RequestServer implements ConnectionHandler {
  readonly #options: RequestServerOptions;
  readonly #guard: BrowserGuard;
  readonly #allowedOrigin: AllowedOrigin;
  readonly #pipelines: PipelineLimit;
  readonly #states = createConnectionStates();

  constructor(options: RequestServerOptions) {
    this.#options = options;
    const { config, gateway, logger } = options;
    this.#guard = browserGuard({ allowHosts: config.allowHost, allowOrigins: config.allowOrigin });
    this.#allowedOrigin = allowedOrigins(config.allowOrigin);
    this.#pipelines = new PipelineLimit(gateway, (waiting) =>
      logger.info(
        { waiting, problem: 'arena-full' },
        'closed a connection whose pipelined requests exceed the memory set aside for texts',
      ),
    );
  }

  request(req: IncomingMessage, res: ServerResponse, expectation: Expectation): void {
    if (!admit(this.#states.of(req.socket), req, res)) {
      this.#pipelines.ignore(req);
      return;
    }
    if (isFirst(res)) {
      this.#start(this.#begin(req, res, expectation), expectation);
      return;
    }
    if (!this.#pipelines.enter(req)) return;
    const body = announcesBody(req)
      ? new BodyReceiver(this.#options.gateway, req).tap()
      : undefined;
    whenFirst(res, () => {
      const { socket } = req;
      this.#pipelines.leave(socket);
      if (socket.destroyed || isClosing(socket) || this.#states.of(socket).isOver) return;
      const exchange = this.#begin(req, res, expectation);
      exchange.body = body;
      this.#start(exchange, expectation);
    });
  }

  connect(req: IncomingMessage): void {
    const connection = this.#states.of(req.socket);
    if (connection.isClosing) {
      discardInput(req.socket);
      return;
    }
    connection.isClosing = true;
    refuseConnect(req, this.#guard, (refusal) => this.#options.recorder.record(refusal));
  }

  clientError(error: ClientError, socket: Socket): void {
    const { recorder, config } = this.#options;
    const connection = this.#states.of(socket);
    const report = (malformed: MalformedRequest) => recorder.malformed(malformed);
    respondToClientError(report, error, socket, connection, config.idleTimeoutMs);
  }

  /** Whether a request of the connection is being served. */
  isServing(socket: Socket): boolean {
    return this.#states.of(socket).serving !== undefined;
  }

  #begin(req: IncomingMessage, res: ServerResponse, expectation: Expectation): Exchange {
    const connection = this.#states.of(req.socket);
    const { gateway } = this.#options;
    beginConnection(gateway.clients, req.socket);
    const exchange = newExchange(gateway, req, res, connection, expectation === 'continue');
    if (connection.latest === res) exchange.bodyFault = connection.bodyFault;
    this.#options.recorder.begin();
    connection.serving = exchange;
    return exchange;
  }

  #start(exchange: Exchange, expectation: Expectation): void {
    const { tracing } = this.#options;
    if (asksForTiming(exchange.req)) exchange.timing = new RequestTiming();
    const trace = bothTraces(tracing?.begin(exchange), exchange.timing);
    if (trace === undefined) this.#serve(exchange, expectation);
    else runTraced(trace, () => this.#serve(exchange, expectation));
  }

  #serve(exchange: Exchange, expectation: Expectation): void {
    const { config, gateway, addresses } = this.#options;
    const { req } = exchange;
    if (exchange.bodyFault instanceof ClientGoneError) {
      abandon(exchange);
      return;
    }
    ignoreBodilessExpectation(exchange, config.keepAliveMs);
    const from = addresses.of(req);
    exchange.clientAddress = from.address;
    const { origin } = req.headers;
    if (origin !== undefined) exchange.allowedOrigin = this.#allowedOrigin(origin);
    try {
      exchange.grant = checkHead(req, expectation, this.#guard, gateway.access);
      if (exchange.allowedOrigin !== undefined && isPreflight(req)) {
        respondPreflight(exchange, exchange.allowedOrigin);
        return;
      }
      admitClient(exchange, from);
      if (config.fastLane && serveData(exchange, parseTarget(req.url ?? '/'))) return;
    } catch (error) {
      respondError(exchange, error);
      return;
    }
    this.#serveByApp(exchange);
  }

  #serveByApp(exchange: Exchange): void {
    const { loadApp } = this.#options;
    const { req, res } = exchange;
    holdBody(exchange);
    attachExchange(req, exchange);
    res.once('close', () => endExchange(exchange));
    loadApp().then(
      (listener) => listener(req, res),
      (error: unknown) => respondError(exchange, error),
    );
  }
}
