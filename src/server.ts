import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Config } from './config.ts';
import { textBudgetBytes } from './config-heap.ts';
import type { Layout } from './config-layouts.ts';
import { ignoreBodilessExpectation } from './http/bodiless-expectation.ts';
import { answerClientError } from './http/client-error.ts';
import { respondToConnect } from './http/connect.ts';
import { createConnectionServer } from './http/connection-server.ts';
import { admit, createConnectionStates, dismiss } from './http/connection-state.ts';
import {
  abandon,
  attachExchange,
  clientHasGone,
  type Exchange,
  endExchange,
  type Gateway,
  newExchange,
} from './http/exchange.ts';
import { exchangeLog } from './http/exchange-log.ts';
import { checkHead, type Expectation, problemOfConnect } from './http/head.ts';
import { HeldBody, holdBody } from './http/held-body.ts';
import { HeldBytes } from './http/held-bytes.ts';
import { browserGuard } from './http/host.ts';
import { discardInput } from './http/linger.ts';
import { createLiveConnections } from './http/live-connections.ts';
import type { Logger } from './http/log.ts';
import { createPipelineLimit } from './http/pipeline-limit.ts';
import { announcesBody } from './http/refuse.ts';
import { respondError } from './http/respond.ts';
import { parseTarget } from './http/target.ts';
import { createTransferWatch } from './http/transfer-watch.ts';
import { lazy } from './lazy.ts';
import { engineMetrics } from './metrics/engine.ts';
import { httpMetrics } from './metrics/http.ts';
import { nodeFeatureMetrics } from './metrics/node-features.ts';
import { createRegistry, type Registry } from './metrics/registry.ts';
import { storeMetrics } from './metrics/store.ts';
import { textMetrics } from './metrics/text.ts';
import type { EngineClient } from './native/types.ts';
import { nodeFeatures } from './node-internals/node-features.ts';
import type { PoolReport } from './pool/report.ts';
import { loadBulk, serveData } from './routes/data.ts';
import { operations } from './routes/health.ts';
import type { PoolBytes } from './store/admission.ts';
import { isRefusing } from './store/arena-room.ts';
import { batchStore } from './store/batch-store.ts';
import { createCircuit } from './store/circuit.ts';
import { ClientGoneError } from './store/client-gone.ts';
import { engineStore } from './store/engine-store.ts';

export interface GatewayDeps {
  readonly config: Config;
  readonly engine: EngineClient;
  readonly logger: Logger;
  /** Metrics of all workers and the supervisor, added up. */
  readonly metricsText: () => Promise<{ contentType: string; body: string }>;
  /** What the supervisor says of all workers. */
  readonly poolReport: () => Promise<PoolReport>;
  readonly version: string;
}

export interface GatewayServer {
  /** Serves a connection that the supervisor accepted. */
  accept(socket: Socket): void;
  /** Lets requests in flight finish, and their connections close; false when the deadline came first. */
  drain(deadlineMs: number): Promise<boolean>;
  /** Closes every connection at once. */
  destroyAll(): void;
  inFlight(): number;
  /** Whether some requests are refused at once, since engine calls hang. */
  isStuck(): boolean;
  /** Readiness fails from now on, and answers end their connections; everything is served. */
  announceStop(): void;
  /** Those that requests may name from now on. */
  setLayouts(layouts: readonly Layout[]): void;
  readonly registry: Registry;
}

/** The HTTP side of a worker: connections in, the store and the pages behind them. */
export function createGatewayServer(deps: GatewayDeps): GatewayServer {
  const { config, engine, logger } = deps;
  const registry = createRegistry();
  engineMetrics(registry, engine, () => isRefusing(engine.arena, config.arenaWaitMs));
  nodeFeatureMetrics(registry, nodeFeatures);
  const states = createConnectionStates();
  let inFlight = 0;
  const metrics = httpMetrics(registry, () => inFlight);
  const log = exchangeLog(logger, config);

  const store = engineStore(engine, {
    arenaWaitMs: config.arenaWaitMs,
    poolBytes: engine.embedded ? poolBytesOf(config) : undefined,
    coalescing: config.coalescing,
    singleFlight: config.singleFlight,
    staleReadMs: config.staleReadMs,
    sizeCacheKeys: config.sizeCacheKeys,
  });
  const gateway: Gateway = {
    store,
    batches: batchStore(engine, store, config),
    heldText: new HeldBytes(textBudgetBytes(config)),
    limits: {
      maxObjectBytes: Math.min(config.maxObjectBytes, engine.arena.maxBlockBytes),
      unsizedBytes: Math.min(config.unsizedBytes, engine.arena.maxBlockBytes),
      batchKeys: config.batchKeys,
      batchJsonBytes: config.batchJsonBytes,
      keepAliveMs: config.keepAliveMs,
    },
    layouts: config.layout,
    watch: createTransferWatch(config, { contended: () => engine.arena.stats().waiters > 0 }),
    draining: false,
    onEnd(exchange) {
      inFlight -= 1;
      exchange.body?.drop();
      dismiss(exchange);
      const durationMs = performance.now() - exchange.startedMs;
      const status = exchange.res.headersSent ? exchange.res.statusCode : 0;
      const { route, method, bytesIn, bytesOut } = exchange;
      metrics.observe(route, method, status, durationMs / 1000, bytesIn, bytesOut);
      if (clientHasGone(exchange)) metrics.clientGone(route);
      log.write(exchange, status, durationMs);
    },
  };
  storeMetrics(registry, gateway.store, gateway.batches);
  textMetrics(registry, gateway.heldText);
  const pipelines = createPipelineLimit(gateway, (waiting) =>
    logger.info(
      { waiting, problem: 'arena-full' },
      'closed a connection whose pipelined requests exceed the memory set aside for texts',
    ),
  );
  const circuit = createCircuit({
    engine,
    ...gateway,
    onSubstituted: (calls) =>
      logger.info(
        { substituted: calls, ...engine.calls() },
        'the engine has answered a probe: as many calls that hang are counted no more',
      ),
  });
  const guard = browserGuard({ allowHosts: config.allowHost, allowOrigins: config.allowOrigin });
  const health = operations({
    ...deps,
    circuit,
    arenaWaitMs: config.arenaWaitMs,
    needsAll: config.readyWhen === 'all' && config.devices.length > 1,
  });
  /** Express is loaded on first use, or when the worker has nothing better to do. */
  const loadApp = lazy<RequestListener>(async () => {
    const { createApp } = await import('./app.ts');
    return createApp(gateway, health);
  });

  function begin(req: IncomingMessage, res: ServerResponse, expectation: Expectation): void {
    if (!admit(states.of(req.socket), req, res)) return;
    // A connection carries one request at a time: a pipelined one waits until its response has the
    // socket, since a response in the queue of a dead socket emits neither finish nor close.
    if (res.socket === null) {
      if (!pipelines.enter(req)) return;
      const body = announcesBody(req) ? new HeldBody(gateway, req) : undefined;
      res.once('socket', (socket: Socket) => {
        pipelines.leave(socket);
        // A connection that has died hands itself on to all who waited for it.
        if (!socket.destroyed && !socket.writableEnded) serve(req, res, expectation, body);
      });
      return;
    }
    serve(req, res, expectation);
  }

  function open(req: IncomingMessage, res: ServerResponse, expectation: Expectation): Exchange {
    const connection = states.of(req.socket);
    const exchange = newExchange(req, res, connection, expectation === 'continue');
    if (connection.latest === res) exchange.bodyFault = connection.bodyFault;
    inFlight += 1;
    connection.serving = exchange;
    return exchange;
  }

  function serve(
    req: IncomingMessage,
    res: ServerResponse,
    expectation: Expectation,
    body?: HeldBody,
  ): void {
    const exchange = open(req, res, expectation);
    exchange.body = body;
    if (exchange.bodyFault instanceof ClientGoneError) {
      abandon(gateway, exchange);
      return;
    }
    ignoreBodilessExpectation(exchange, config.keepAliveMs);
    try {
      checkHead(req, expectation, guard);
      if (config.fastLane && serveData(gateway, exchange, parseTarget(req.url ?? '/'))) {
        holdBody(gateway, exchange);
        return;
      }
    } catch (error) {
      respondError(gateway, exchange, error);
      return;
    }
    holdBody(gateway, exchange);
    attachExchange(req, exchange);
    res.once('close', () => endExchange(gateway, exchange));
    loadApp().then(
      (listener) => listener(req, res),
      (error: unknown) => respondError(gateway, exchange, error),
    );
  }

  const server = createConnectionServer({
    idleTimeoutMs: config.idleTimeoutMs,
    keepAliveTimeout: config.keepAliveMs,
  });
  const connections = createLiveConnections(server, () => inFlight);
  server.on('request', (req, res) => begin(req, res, 'none'));
  server.on('checkContinue', (req, res) => begin(req, res, 'continue'));
  server.on('checkExpectation', (req, res) => begin(req, res, 'unknown'));
  server.on('clientError', (error: Error, socket) => {
    if (socket instanceof Socket) answerClientError(logger, error, socket, states.of(socket));
    else socket.destroy();
  });
  // Small answers wait in the socket for a client that does not read them, and no transfer is watched
  // then. Slow heads are told so first (headersTimeout); what is being served has its own limits.
  server.timeout = 2 * config.idleTimeoutMs;
  server.on('timeout', (socket: Socket) => {
    if (states.of(socket).serving !== undefined) socket.setTimeout(server.timeout);
    else socket.destroy();
  });
  server.on('connect', (req) => {
    const connection = states.of(req.socket);
    if (connection.isClosing) {
      discardInput(req.socket);
      return;
    }
    connection.isClosing = true;
    respondToConnect(req, req.socket, (res) => {
      respondError(gateway, open(req, res, 'none'), problemOfConnect(req, guard));
    });
  });

  // After the caller has said that it is ready: a start need not wait for what it may not need.
  setImmediate(() => {
    for (const load of [loadApp, loadBulk]) load().catch(() => undefined);
  });

  return {
    registry,
    inFlight: () => inFlight,
    isStuck: () => circuit.openReason !== undefined,
    announceStop() {
      gateway.draining = true;
    },
    setLayouts(layouts) {
      gateway.layouts = layouts;
    },
    accept: (socket) => connections.accept(socket),
    async drain(deadlineMs) {
      gateway.draining = true;
      const drained = await connections.drain(deadlineMs);
      log.flush();
      gateway.watch.close();
      circuit.end();
      return drained;
    },
    destroyAll: () => connections.destroyAll(),
  };
}

/** What the embedded engine's clients, one for each device, contribute (placement.c). */
function poolBytesOf({ poolBytes, devices }: Config): PoolBytes {
  return { segment: poolBytes, total: poolBytes * devices.length };
}
