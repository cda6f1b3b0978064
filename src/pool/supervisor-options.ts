/** What the supervisor is given, and what it tells. */
import type { Config } from '../config.ts';
import type { Listeners } from './listeners.ts';
import type { PoolLog } from './log.ts';
import type { WorkerFacts } from './protocol.ts';
import type { PoolReport } from './report.ts';
import type { PoolSamples, Rendered } from './scrape.ts';
import type { WorkerState } from './state.ts';
import type { WorkerProgram } from './worker-process.ts';

/** What the supervisor itself counts, for /metrics. */
export interface PoolNumbers {
  readonly slots: readonly {
    readonly device: number;
    readonly state: WorkerState;
    readonly serving: boolean;
    readonly restarts: number;
    readonly handedOver: number;
  }[];
  /** Connections that wait for a worker to take them. */
  readonly waitingConnections: number;
  /** Connections answered without a worker. */
  readonly standbyConnections: number;
  /** Answers given without a worker, by status. */
  readonly standbyAnswers: ReadonlyMap<number, number>;
}

export interface SupervisorOptions {
  readonly config: Config;
  readonly version: string;
  readonly devices: readonly number[];
  readonly program: WorkerProgram;
  readonly env: (device: number) => NodeJS.ProcessEnv;
  readonly log: PoolLog;
  /** Called once, when the gateway is ready, with what its worker that has just come up says. */
  readonly onReady: (facts: WorkerFacts, listeners: Listeners, report: PoolReport) => void;
  /** A message for the operator's eyes, besides the log: why the program ends. */
  readonly complain: (message: string) => void;
  readonly renderMetrics: (samples: PoolSamples, own: PoolNumbers) => Promise<Rendered>;
  /** How long a connection waits for a worker that lives; 10 s, but in tests. */
  readonly patienceMs?: number;
  /** How long a worker may take to answer when it is given a connection; 2 s, but in tests. */
  readonly answerMs?: number;
}
