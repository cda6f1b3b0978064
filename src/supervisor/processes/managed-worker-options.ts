/** The options of a place in the pool, and the callbacks for its events. */
import type { Socket } from 'node:net';
import type { Config } from '../../config/config.ts';
import type { PoolLog } from '../../log/waiting-log.ts';
import type { PoolHistory } from '../../messages/history.ts';
import type { MetricJson, MetricsText, WorkerFacts } from '../../messages/protocol.ts';
import type { PoolReport } from '../../messages/report.ts';
import type {
  LogLevelOutcome,
  LogLevelSetting,
  RuntimeSettings,
} from '../../messages/runtime-settings.ts';
import type { AcceptReport } from '../dispatch/accept-windows.ts';
import type { RegionTable } from '../regions/region-table.ts';
import type { WorkerProgram } from './worker-process-options.ts';

export interface ManagedWorkerOptions {
  readonly config: Config;
  /** The settings that may change, as they are at the start. */
  readonly runtime: RuntimeSettings;
  readonly device: number;
  readonly program: WorkerProgram;
  readonly env: NodeJS.ProcessEnv;
  /** Descriptors of listening sockets, for its worker to inherit. */
  readonly listeners: () => readonly number[];
  /** How long its worker may take to accept an offered connection. */
  readonly acceptMs: number;
  readonly log: PoolLog;
  /** A worker process is being started. */
  readonly onStart: () => void;
  readonly onReady: (facts: WorkerFacts) => void;
  /** The worker failed for a reason that a restart does not remove; called before the process ends. */
  readonly onPermanentFailure: (message: string) => void;
  readonly onScrape: (reply: (text: MetricsText) => void) => void;
  readonly onSurvey: () => PoolReport;
  /** The worker requests this log level for all processes. */
  readonly onSetLogLevel: (level: LogLevelSetting) => Promise<LogLevelOutcome>;
  readonly onReview: () => PoolHistory;
  readonly onRevoked: (socket: Socket) => void;
  /** The worker can take another connection, or has stopped taking connections. */
  readonly onCapacityChange: () => void;
  /** The worker has accepted connections by itself, or has no room for more. */
  readonly onAccepted: (report: AcceptReport) => void;
  /** The worker process has ended, and these are the last metrics that it sent. */
  readonly onEnded: (metrics: MetricJson[]) => void;
  /** The worker has drained, and waits for `leave`. */
  readonly onDrained: () => void;
  readonly onStopped: () => void;
  /** Gives the worker the memory of clients. */
  readonly regions: Pick<RegionTable, 'started' | 'ended' | 'receive'>;
}
