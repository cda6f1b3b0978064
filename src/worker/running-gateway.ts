import type { Socket } from 'node:net';
import type { Config } from '../config/config.ts';
import type { CallHealth } from '../messages/heartbeat.ts';
import type { PoolHistory } from '../messages/history.ts';
import type { MetricJson, MetricsText, WorkerFacts } from '../messages/protocol.ts';
import type { PoolReport } from '../messages/report.ts';
import type {
  LogLevelOutcome,
  LogLevelSetting,
  RuntimeSettings,
} from '../messages/runtime-settings.ts';
import type { Handle } from '../node-internals/connection-handle.ts';
import type { RegionChannel } from './region-channel.ts';

/** The arguments of the opening of a gateway. */
export interface GatewayStart {
  readonly config: Config;
  readonly device: number;
  readonly tokens: RuntimeSettings['tokens'];
  readonly tls: RuntimeSettings['tls'];
  /** Metrics of all workers and the supervisor. */
  readonly metricsText: () => Promise<MetricsText>;
  /** The supervisor's report on all workers. */
  readonly poolReport: () => Promise<PoolReport>;
  /** Sets the log level of all processes. */
  readonly setLogLevel: (level: LogLevelSetting) => Promise<LogLevelOutcome>;
  /** The last 15 minutes of the pool. */
  readonly poolHistory: () => Promise<PoolHistory>;
  /** Sends a handle to the supervisor and back; undefined when it was lost. One at a time. */
  readonly echo: (handle: Handle) => Promise<Handle | Socket | undefined>;
  /** The memory of clients, as the supervisor gives it to the worker. */
  readonly regions: RegionChannel;
}

/** A gateway on an open engine. */
export interface RunningGateway {
  readonly facts: Omit<WorkerFacts, 'type'>;
  /** Serves a connection of which no byte has been read; `tls`: its listener has TLS. */
  accept(socket: Socket, tls: boolean): void;
  /** Connections that are open, also those that are arriving (live-connections.ts). */
  readonly connections: number;
  /** Lets requests in flight finish; false when some had not after `deadlineMs`. */
  drain(deadlineMs: number): Promise<boolean>;
  destroyAll(): void;
  remaining(): { requests: number; calls: number };
  health(): CallHealth;
  /** Reports from now on that it is not ready, but still serves all requests. */
  announceStop(): void;
  /** From now on requests are served and logged by these settings. */
  reconfigure(settings: RuntimeSettings): void;
  collect(): Promise<MetricJson[]>;
  /** Uninitialises the engine; false when it had to be given up. */
  closeEngine(deadlineMs: number): Promise<boolean>;
}
