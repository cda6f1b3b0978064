/** One worker in its place, from its start to its exit: what is known of it goes with it. */
import type { Socket } from 'node:net';
import type { Config } from '../config.ts';
import type { Reloadable } from '../config-reload.ts';
import { describeRemaining, type Remaining } from './departure.ts';
import { type HeartbeatWatch, watchHeartbeat } from './heartbeat-watch.ts';
import type { LogLevel } from './log.ts';
import type { MetricJson, ToWorker } from './protocol.ts';
import { createSlotMetrics } from './slot-metrics.ts';
import type { SlotOptions } from './slot-options.ts';
import { takesConnections, type WorkerState } from './state.ts';
import { type Exit, type WorkerMessage, WorkerProcess } from './worker-process.ts';

export interface TermOptions {
  readonly slot: SlotOptions;
  /** As it is now, after what was read again. */
  readonly config: Config;
  readonly state: () => WorkerState;
  readonly log: (level: LogLevel, fields: object, message: string) => void;
  readonly onMessage: (message: WorkerMessage) => void;
  /** It took a connection. */
  readonly onTaken: () => void;
  /** It is to be killed, for this reason; told again at each look. */
  readonly onCondemned: (reason: string) => void;
  readonly onExit: (exit: Exit) => void;
}

const showsNoise = ({ logLevel }: Pick<Config, 'logLevel'>): boolean =>
  logLevel === 'debug' || logLevel === 'trace';

export class WorkerTerm {
  readonly #options: TermOptions;
  readonly #process: WorkerProcess;
  readonly #watch: HeartbeatWatch;
  readonly #metrics = createSlotMetrics();
  #serviceId: number | undefined;
  #readySince: number | undefined;
  #remaining: Remaining | undefined;

  constructor(options: TermOptions) {
    this.#options = options;
    const { slot, config, state } = options;
    this.#process = new WorkerProcess({
      program: slot.program,
      device: slot.device,
      env: slot.env,
      showNoise: showsNoise(config),
      answerMs: slot.answerMs,
      log: options.log,
      onMessage: (message) => this.#receive(message),
      onTaken: options.onTaken,
      onReturned: slot.onReturned,
      onAnswering: slot.onTurn,
      onExit: (exit) => {
        this.#watch.end();
        options.onExit(exit);
      },
    });
    this.send({ type: 'start', config, device: slot.device, version: slot.version });
    this.#watch = watchHeartbeat({
      slot,
      pid: this.pid,
      state,
      onSilent: () => {
        if (takesConnections(state())) this.#process.silent();
      },
      onVerdict: options.onCondemned,
    });
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** Of its engine, once that is open. */
  get serviceId(): number | undefined {
    return this.#serviceId;
  }

  /** Milliseconds since it was started. */
  get uptimeMs(): number {
    return this.#process.uptimeMs;
  }

  /** Milliseconds since it was ready; 0 before. */
  get readyMs(): number {
    return this.#readySince === undefined ? 0 : performance.now() - this.#readySince;
  }

  /** Whether it has an engine: who has not come up has served nobody, and has no pool to leave. */
  get cameUp(): boolean {
    return this.#readySince !== undefined || this.#isLeaving;
  }

  /** Whether a connection is under way to it. */
  get offering(): boolean {
    return this.#process.offering;
  }

  get answers(): boolean {
    return this.#process.answers;
  }

  /** Whether it serves nobody any more. */
  get drained(): boolean {
    return this.#isLeaving || (!this.cameUp && this.#options.state() === 'draining');
  }

  /** Whether nobody was cut off by its end, whatever that was. */
  get finished(): boolean {
    const { requests, calls } = this.#remaining ?? { requests: 0, calls: 0 };
    return !this.cameUp || (this.#isLeaving && requests + calls === 0);
  }

  get #isLeaving(): boolean {
    return this.#remaining?.stage === 'engine';
  }

  /** The last metrics that it has told. */
  get metrics(): MetricJson[] | undefined {
    return this.#metrics.last;
  }

  send(message: ToWorker): void {
    this.#process.send(message);
  }

  handOver(socket: Socket): boolean {
    return this.#process.handOver(socket);
  }

  /** Asks for its metrics; true when they are there, false when it does not answer in time. */
  collect(deadlineMs: number): Promise<boolean> {
    return this.#metrics.ask((id) => this.send({ type: 'collect', id }), deadlineMs);
  }

  reconfigure(settings: Reloadable): void {
    this.#process.showNoise(showsNoise(settings));
    this.send({ type: 'reconfigure', ...settings });
  }

  kill(): void {
    this.#watch.end();
    this.#process.kill('SIGKILL');
  }

  /** What it was doing, in words. */
  describe(): string {
    const { slot, state } = this.#options;
    const worker = { device: slot.device, pid: this.pid, answers: this.answers };
    return describeRemaining(worker, state(), this.#remaining);
  }

  /** It is gone, and nobody waits for it any more. Returns the last metrics that it told. */
  end(): MetricJson[] | undefined {
    return this.#metrics.end();
  }

  #receive(message: WorkerMessage): void {
    if (message.type === 'ready') {
      this.#readySince = performance.now();
      this.#serviceId = message.serviceId;
    } else if (message.type === 'heartbeat') this.#watch.heard(message);
    else if (message.type === 'draining') this.#remaining = message;
    else if (message.type === 'collected') this.#metrics.collected(message.id, message.metrics);
    else if (message.type === 'scrape') this.#answerScrape(message.id);
    else if (message.type === 'survey') {
      this.send({ type: 'surveyed', id: message.id, report: this.#options.slot.onSurvey() });
    }
    this.#options.onMessage(message);
  }

  #answerScrape(id: number): void {
    this.#options.slot.onScrape((text) => this.send({ type: 'metrics', id, ...text }));
  }
}
