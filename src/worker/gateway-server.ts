import type { RequestListener } from 'node:http';
import type { Socket } from 'node:net';
import { ClientAddresses, takeAddress } from '../http/clients/client-address.ts';
import { ProxyConnections } from '../http/clients/proxy-connections.ts';
import { handshakeFaults } from '../http/connection/handshake-fault.ts';
import {
  createLiveConnections,
  type LiveConnections,
} from '../http/connection/live-connections.ts';
import type { TlsConnections } from '../http/connection/tls-connections.ts';
import type { Gateway } from '../http/exchange.ts';
import { Access } from '../http/security/access.ts';
import type { LateLog } from '../log/late-log.ts';
import type { CallHealth } from '../messages/heartbeat.ts';
import type { MetricJson } from '../messages/protocol.ts';
import type { LogLevelSetting, RuntimeSettings } from '../messages/runtime-settings.ts';
import { clientMetrics } from '../metrics/clients.ts';
import { engineMetrics } from '../metrics/engine.ts';
import { handshakeMetrics } from '../metrics/handshakes.ts';
import { nodeFeatureMetrics } from '../metrics/node-features.ts';
import { poolMetrics } from '../metrics/pool.ts';
import { createRegistry } from '../metrics/registry.ts';
import { storeMetrics } from '../metrics/store.ts';
import { textMetrics } from '../metrics/text.ts';
import { workerMetrics } from '../metrics/worker.ts';
import { canPassHandles } from '../node-internals/connection-handle.ts';
import { canShareListeners } from '../node-internals/listener-descriptor.ts';
import { nodeFeatures } from '../node-internals/node-features.ts';
import { descriptorShare } from '../os/descriptors.ts';
import { loadBulk } from '../routes/data.ts';
import { lazy } from '../routes/lazy.ts';
import { operations } from '../routes/pool/health.ts';
import { isRefusing } from '../scheduler/arena-room.ts';
import { type CircuitBreaker, createCircuitBreaker } from '../scheduler/circuit-breaker.ts';
import type { Scheduler } from '../scheduler/scheduler.ts';
import type { Tracing } from '../tracing/tracing.ts';
import { ExchangeRecorder } from './exchange-recorder.ts';
import { createGateway } from './gateway.ts';
import { createHttpServer } from './http-server.ts';
import { RequestServer } from './request-server.ts';
import type { GatewayStart, RunningGateway } from './running-gateway.ts';

export interface GatewayServerOptions
  extends Pick<
    GatewayStart,
    'config' | 'tokens' | 'tls' | 'metricsText' | 'poolReport' | 'poolHistory' | 'setLogLevel'
  > {
  /** The code of TLS, which is loaded only for TLS. */
  readonly secure: { readonly TlsConnections: typeof TlsConnections } | undefined;
  readonly scheduler: Scheduler;
  readonly log: LateLog;
  readonly tracing: Tracing | undefined;
  readonly buffers: Gateway['buffers'];
}

/** Longest wait at the end for the spans that an SDK still holds. */
const FLUSH_MS = 1000;

/** The HTTP side of a worker on an open engine: connections in, the store and the pages behind them. */
export class GatewayServer implements RunningGateway {
  readonly #options: GatewayServerOptions;
  readonly #gateway: Gateway;
  readonly #recorder: ExchangeRecorder;
  readonly #registry = createRegistry();
  readonly #circuit: CircuitBreaker;
  readonly #connections: LiveConnections;
  #logLevel: LogLevelSetting;
  readonly #tls: TlsConnections | undefined;
  readonly #proxied: ProxyConnections;

  constructor(options: GatewayServerOptions) {
    this.#options = options;
    const { config, scheduler } = options;
    this.#logLevel = config.logLevel;
    const logger = options.log.lines;
    this.#recorder = new ExchangeRecorder(this.#registry, logger, config);
    const access = new Access(config, options.tokens, options.tls?.clientCa);
    this.#gateway = createGateway(config, access, options, (exchange) =>
      this.#recorder.end(exchange),
    );
    this.#registerMetrics();
    this.#circuit = createCircuitBreaker({
      scheduler,
      onSubstituted: (calls) =>
        logger.info(
          { substituted: calls, ...scheduler.calls() },
          'a probe has succeeded: this many hanging calls are no longer counted',
        ),
    });
    const loadApp = this.#appLoader();
    const addresses = new ClientAddresses(config.trustedProxy);
    this.#proxied = new ProxyConnections(addresses, config);
    const requests = new RequestServer({
      config,
      addresses,
      logger,
      loadApp,
      tracing: options.tracing,
      gateway: this.#gateway,
      recorder: this.#recorder,
    });
    const serve = (isTls: boolean) => createHttpServer(config, requests, isTls);
    this.#tls = this.#createTls();
    this.#connections = createLiveConnections({
      server: serve(false),
      secure: this.#tls && serve(true),
      inFlight: () => this.#recorder.inFlight,
      arriving: () => this.#proxied.count + (this.#tls?.handshakes ?? 0),
    });
    // The worker reports that it is ready first: the start must not wait for code it may not need.
    setImmediate(() => {
      for (const load of [loadApp, loadBulk]) load().catch(() => undefined);
    });
  }

  get facts(): RunningGateway['facts'] {
    const { config, scheduler } = this.#options;
    const { embedded, device, serviceId, arena } = scheduler.engine;
    return {
      engine: config.engine,
      embedded,
      device,
      serviceId,
      arenaBytes: arena.totalBytes,
      bareHandles: canPassHandles(),
      accepts: canShareListeners(),
    };
  }

  accept(socket: Socket, tls: boolean): void {
    this.#proxied.accept(socket, tls, (ready) => {
      if (!tls) this.#connections.accept(ready);
      else if (this.#tls === undefined) ready.destroy();
      else this.#tls.accept(ready);
    });
  }

  get connections(): number {
    return this.#connections.count;
  }

  async drain(deadlineMs: number): Promise<boolean> {
    this.announceStop();
    const drained = await this.#connections.drain(deadlineMs);
    this.#proxied.destroyAll();
    if (drained) this.#tls?.destroyAll();
    this.#recorder.flush();
    this.#gateway.watch.close();
    this.#circuit.end();
    await this.#options.tracing?.flush(FLUSH_MS);
    return drained;
  }

  destroyAll(): void {
    this.#proxied.destroyAll();
    this.#connections.destroyAll();
    this.#tls?.destroyAll();
  }

  remaining(): { requests: number; calls: number } {
    return { requests: this.#recorder.inFlight, calls: this.#options.scheduler.callsOfRequests };
  }

  health(): CallHealth {
    const { inFlight, late } = this.#options.scheduler.calls();
    return { inFlight, late, stuck: this.#circuit.openReason !== undefined };
  }

  announceStop(): void {
    this.#gateway.draining = true;
    this.#gateway.store.endWaits();
  }

  reconfigure({ layout, logLevel, tokens, tls }: RuntimeSettings): void {
    this.#gateway.layouts = layout;
    this.#gateway.access.setTokens(tokens);
    this.#logLevel = logLevel;
    this.#options.log.setLevel(logLevel);
    if (tls === null) return;
    this.#gateway.access.setClientCa(tls.clientCa);
    this.#tls?.setMaterial(tls);
  }

  collect(): Promise<MetricJson[]> {
    return this.#registry.getMetricsAsJSON();
  }

  async closeEngine(deadlineMs: number): Promise<boolean> {
    const { scheduler, log } = this.#options;
    const clean = await scheduler.close(deadlineMs);
    if (!clean && scheduler.callsOfRequests === 0) {
      log.lines.warn(
        { deadlineMs },
        'the engine was not uninitialised in time; its pool treats this client as dead',
      );
    }
    return clean;
  }

  #createTls(): TlsConnections | undefined {
    const { config, tls, secure } = this.#options;
    if (tls === null || secure === undefined) return undefined;
    const count = handshakeMetrics(this.#registry, handshakeFaults);
    return new secure.TlsConnections({
      material: tls,
      handshakeMs: config.idleTimeoutMs,
      onSecure: (socket, accepted) => {
        takeAddress(socket, accepted);
        this.#connections.accept(socket);
      },
      onFault: count,
    });
  }

  #registerMetrics(): void {
    const { config, scheduler } = this.#options;
    const { store, batches, pool, heldText, clients } = this.#gateway;
    engineMetrics(this.#registry, scheduler, () => isRefusing(scheduler.arena, config.arenaWaitMs));
    workerMetrics(this.#registry, {
      device: scheduler.engine.device,
      descriptorShare,
      isCircuitOpen: () => this.#circuit.openReason !== undefined,
    });
    nodeFeatureMetrics(this.#registry, nodeFeatures);
    storeMetrics(this.#registry, store, batches);
    poolMetrics(this.#registry, pool);
    clientMetrics(this.#registry, clients, scheduler.arena, heldText);
    textMetrics(this.#registry, heldText);
  }

  /** Express is loaded on first use, or once the worker is ready. */
  #appLoader(): () => Promise<RequestListener> {
    const { config, ...options } = this.#options;
    const health = operations({
      ...options,
      circuit: this.#circuit,
      arenaWaitMs: config.arenaWaitMs,
      logLevel: () => this.#logLevel,
      needsAll: config.readyWhen === 'all' && config.devices.length > 1,
    });
    return lazy(async () => {
      const { createApp } = await import('./app.ts');
      return createApp(this.#gateway, health, options);
    });
  }
}
