/** What a place in the pool is given, and whom it tells of what happens there. */
import type { Socket } from 'node:net';
import type { Config } from '../config.ts';
import type { PoolLog } from './log.ts';
import type { MetricJson, MetricsText, WorkerFacts } from './protocol.ts';
import type { PoolReport } from './report.ts';
import type { WorkerProgram } from './worker-process.ts';

export interface SlotOptions {
  readonly config: Config;
  readonly version: string;
  readonly device: number;
  readonly program: WorkerProgram;
  readonly env: NodeJS.ProcessEnv;
  /** How long its worker may take to answer when it is given a connection. */
  readonly answerMs: number;
  readonly log: PoolLog;
  /** A worker is being started. */
  readonly onStart: () => void;
  readonly onReady: (facts: WorkerFacts) => void;
  /** A reason for which starting again cannot help; reported before the process leaves. */
  readonly onPermanentFailure: (message: string) => void;
  readonly onScrape: (reply: (text: MetricsText) => void) => void;
  readonly onSurvey: () => PoolReport;
  readonly onReturned: (socket: Socket) => void;
  /** It can take another connection, or takes none any more. */
  readonly onTurn: () => void;
  /** Its worker is gone, and has told these metrics last. */
  readonly onGone: (metrics: MetricJson[]) => void;
  /** Its worker has drained, and waits for `leave`. */
  readonly onDrained: () => void;
  readonly onStopped: () => void;
}
