/** The options of the supervisor, and the numbers that it reports. */
import type { Config } from '../config/config.ts';
import type { PoolLog } from '../log/waiting-log.ts';
import type { WorkerFacts } from '../messages/protocol.ts';
import type { PoolReport } from '../messages/report.ts';
import type {
  LogLevelOutcome,
  LogLevelSetting,
  RuntimeSettings,
} from '../messages/runtime-settings.ts';
import type { WorkerState } from '../messages/state.ts';
import type { PoolTotals } from './history.ts';
import type { Listeners } from './listeners/listeners.ts';
import type { WorkerProgram } from './processes/worker-process-options.ts';
import type { PoolSamples, Rendered } from './scrape.ts';

/** The supervisor's own numbers, for /metrics. */
export interface PoolNumbers {
  readonly workers: readonly {
    readonly device: number;
    readonly state: WorkerState;
    readonly serving: boolean;
    readonly restarts: number;
    readonly handedOver: number;
  }[];
  /** Connections that wait for a worker to take them. */
  readonly waitingConnections: number;
  /** Connections served without a worker. */
  readonly fallbackConnections: number;
  /** Responses sent for lack of a worker, by status. */
  readonly fallbackResponses: ReadonlyMap<number, number>;
  /** Failed TLS handshakes without a worker, by reason; undefined before the first one. */
  readonly handshakeFaults?: ReadonlyMap<string, number> | undefined;
  /** The part of its file descriptors that the supervisor has open; absent where it is not known. */
  readonly descriptorShare?: number | undefined;
  /** Undefined without a token file. */
  readonly tokenFile?: TokenFileNumbers | undefined;
  /** Undefined without TLS. */
  readonly tlsFiles?: TlsFilesNumbers | undefined;
}

/** The state of the token file, for /metrics. */
export interface TokenFileNumbers {
  /** Whether the gateway uses the tokens that the file has now. */
  readonly isCurrent: boolean;
  /** Tokens in use. */
  readonly tokens: number;
  /** Readings that found a new fault. */
  readonly failures: number;
  /** When the file was last read without faults, in milliseconds since 1970. */
  readonly readMs: number;
}

/** The state of the files of TLS, for /metrics. */
export interface TlsFilesNumbers {
  /** Whether the gateway uses what the files have now. */
  readonly isCurrent: boolean;
  /** Readings that found a new fault. */
  readonly failures: number;
  /** When the files were last read without faults, in milliseconds since 1970. */
  readonly readMs: number;
  /** When the certificate in use expires, in milliseconds since 1970. */
  readonly expiresMs: number;
}

export interface SupervisorOptions {
  readonly config: Config;
  /** The settings that may change, as they are at the start. */
  readonly runtime: RuntimeSettings;
  readonly tokenFile?: () => TokenFileNumbers | undefined;
  readonly tlsFiles?: () => TlsFilesNumbers | undefined;
  readonly devices: readonly number[];
  readonly program: WorkerProgram;
  readonly env: (device: number) => NodeJS.ProcessEnv;
  readonly log: PoolLog;
  /** Called once, when the gateway is ready, with the facts of the worker that made it so. */
  readonly onReady: (facts: WorkerFacts, listeners: Listeners, report: PoolReport) => void;
  /** Changes the log level of all processes. */
  readonly setLogLevel: (level: LogLevelSetting) => Promise<LogLevelOutcome>;
  /** Reports to the operator, besides the log, why the program ends. */
  readonly complain: (message: string) => void;
  readonly renderMetrics: (samples: PoolSamples, own: PoolNumbers) => Promise<Rendered>;
  /** Adds up what the status page shows. */
  readonly readTotals: (samples: PoolSamples) => Promise<PoolTotals>;
  /** How long a connection waits for a worker that serves; default 10 s. */
  readonly maxWaitMs?: number;
  /** How long a worker may take to accept an offered connection; default 2 s. */
  readonly acceptMs?: number;
}
