/** A worker's life, as the supervisor's messages direct it. The engine and the HTTP side are behind `WorkerParts`. */
import type { Socket } from 'node:net';
import { schemeOf, workerPlaces } from '../config/listen.ts';
import { type CallHealth, startHeartbeat } from '../messages/heartbeat.ts';
import { parseToWorker, type ToWorker } from '../messages/protocol.ts';
import { closePassed, type Handle } from '../node-internals/connection-handle.ts';
import { connectionsWithin, descriptorLimit } from '../os/descriptors.ts';
import { Acceptor } from './acceptor.ts';
import { OfferedConnection } from './offered-connection.ts';
import { PendingGateway } from './pending-gateway.ts';
import { RegionChannel } from './region-channel.ts';
import type { GatewayStart, RunningGateway } from './running-gateway.ts';
import { SupervisorChannel } from './supervisor-channel.ts';
import { WorkerShutdown } from './worker-shutdown.ts';

export interface WorkerParts {
  open(start: GatewayStart): Promise<RunningGateway>;
  /** Why `open` or anything later failed: for the operator; `permanent` when a restart cannot help. */
  explain(error: unknown): { message: string; permanent: boolean };
  /** For the log, which the supervisor does not write. */
  warn(fields: object, message: string): void;
  /**
   * Ends the process at once, with the log written but no exit handler run (docs/engine-facts.md
   * §3).
   */
  exit(code: number): void;
}

const noCalls: CallHealth = { inFlight: 0, late: 0, stuck: false };

/** Takes over the process. Returns at once; the process ends through `parts.exit`. */
export function runWorker(parts: WorkerParts): void {
  const worker = new Worker(parts);
  // The supervisor decides what a terminal's signals mean; SIGTERM drains this worker alone.
  process.on('SIGINT', () => {});
  process.on('SIGHUP', () => {});
  process.on('SIGTERM', () => worker.requestDrain());
  process.on('disconnect', () => worker.supervisorEnded());
  // Also for an error that no code caught: the supervisor starts a successor.
  process.on('uncaughtException', (error) => worker.fail(error));
  process.on('unhandledRejection', (error) => worker.fail(error));
  process.on('message', (value, handle) => worker.receive(value, handle));
}

class Worker {
  readonly #parts: WorkerParts;
  readonly #channel = new SupervisorChannel();
  readonly #gateway = new PendingGateway();
  readonly #regions = new RegionChannel((message) => this.#channel.send(message));
  readonly #offered = new OfferedConnection(() => this.#gateway.running);
  readonly #acceptor = new Acceptor({
    // Only a worker that is ready may accept.
    onConnection: (socket, listener) =>
      this.#gateway.running?.accept(socket, this.#tlsListeners[listener] === true),
    hasRoom: () => (this.#gateway.running?.connections ?? 0) < this.#maxConnections,
    report: (accepted) => this.#channel.send({ type: 'accepted', ...accepted }),
  });
  readonly #shutdown: WorkerShutdown;
  /** Whether each inherited listener has TLS. */
  #tlsListeners: readonly boolean[] = [];
  #drainMs = 0;
  #maxConnections = Number.POSITIVE_INFINITY;

  constructor(parts: WorkerParts) {
    this.#parts = parts;
    this.#shutdown = new WorkerShutdown(this.#gateway, this.#channel, (code) => parts.exit(code));
    startHeartbeat(
      (message, sent) => this.#channel.send(message, sent),
      () => this.#gateway.running?.health() ?? noCalls,
    );
  }

  /** The supervisor responds with `drain`, behind the last connection that it sends, unless it ends itself. */
  requestDrain(): void {
    if (process.connected) this.#channel.send({ type: 'asked' });
    else void this.#shutdown.begin(this.#drainMs);
  }

  /** Without a supervisor no process decides which worker serves an offered connection, or when to leave the pool. */
  supervisorEnded(): void {
    this.#channel.end();
    this.#regions.end();
    this.#acceptor.endForAll();
    this.#offered.revoke();
    this.#shutdown.permitLeave();
    void this.#shutdown.begin(this.#drainMs);
  }

  fail(error: unknown): void {
    const explained = this.#parts.explain(error);
    this.#channel.send({ type: 'failed', ...explained }, () => this.#parts.exit(1));
  }

  /** `passed` is the connection or handle that arrived with the message. */
  receive(value: unknown, passed: Handle | Socket | undefined): void {
    const message = parseToWorker(value);
    switch (message?.type) {
      case 'start':
        void this.#start(message);
        break;
      case 'offer':
        this.#offered.offer(message.id, passed);
        this.#channel.send({ type: 'accept', id: message.id });
        break;
      case 'commit':
        this.#offered.commit(message.id, message.tls, passed);
        break;
      case 'revoke':
        this.#offered.revoke();
        this.#channel.send({ type: 'released', id: message.id });
        break;
      case 'permit':
        this.#acceptor.permit(message.epoch, message.connections);
        break;
      case 'collect':
        void this.#collect(message.id);
        break;
      case 'metrics':
      case 'surveyed':
      case 'logLevelSet':
      case 'reviewed':
        this.#channel.responded(message);
        break;
      case 'mapRegion':
      case 'unmapRegion':
      case 'countRegions':
      case 'regionsReply':
        this.#regions.receive(message);
        break;
      case 'unready':
        this.#gateway.announceStop();
        break;
      case 'reconfigure':
        this.#gateway.reconfigure(message);
        this.#channel.send({ type: 'reconfigured', id: message.id });
        break;
      case 'leave':
        this.#shutdown.permitLeave();
        break;
      case 'drain':
        this.#acceptor.end();
        void this.#shutdown.begin(message.deadlineMs);
        break;
      case 'echoed':
        this.#channel.echoed(passed);
        break;
      case undefined:
        if (passed !== undefined) closePassed(passed);
        this.#dropped(value);
    }
  }

  /** Without a valid `start` the worker would wait for ever, and the log would not say why. */
  #dropped(value: unknown): void {
    const type = typeof value === 'object' && value !== null && 'type' in value ? value.type : '';
    if (type === 'start') {
      this.fail(new Error('the supervisor sent an invalid start message'));
      return;
    }
    this.#parts.warn(
      { type: String(type).slice(0, 64) },
      'the supervisor sent an invalid message, which was dropped',
    );
  }

  async #start(message: Extract<ToWorker, { type: 'start' }>): Promise<void> {
    const { config, device, listeners, tokens, tls } = message;
    this.#drainMs = config.drainMs;
    this.#tlsListeners = workerPlaces(config).map((place) => schemeOf(place) === 'tls');
    this.#acceptor.inherit(listeners);
    this.#maxConnections = connectionsWithin(descriptorLimit(), listeners);
    const channel = this.#channel;
    const opening = this.#parts.open({
      config,
      device,
      tokens,
      tls,
      metricsText: () => channel.metricsText(),
      poolReport: () => channel.poolReport(),
      setLogLevel: (level) => channel.setLogLevel(level),
      poolHistory: () => channel.poolHistory(),
      echo: (handle) => channel.echo(handle),
      regions: this.#regions,
    });
    try {
      const { facts } = await this.#gateway.open(opening);
      if (!this.#shutdown.hasBegun) channel.send({ type: 'ready', ...facts });
    } catch (error) {
      // A shutdown ends the process itself: no engine is open for it to wait for.
      if (!this.#shutdown.hasBegun) this.fail(error);
    }
  }

  /** Without a response the supervisor counts the metrics that it received last. */
  async #collect(id: number): Promise<void> {
    const metrics = await this.#gateway.running?.collect().catch(() => undefined);
    if (metrics === undefined) return;
    this.#channel.send({ type: 'collected', id, metrics, accepted: this.#acceptor.total });
  }
}
