import type { Socket } from 'node:net';
import type { Config } from '../../config/config.ts';
import type { LogLevel } from '../../log/waiting-log.ts';
import type { MetricJson, ToWorker } from '../../messages/protocol.ts';
import { RpcClient } from '../../messages/rpc-client.ts';
import type { LogLevelSetting, RuntimeSettings } from '../../messages/runtime-settings.ts';
import { takesConnections, type WorkerState } from '../../messages/state.ts';
import { describeRemaining, type Remaining } from './exit-report.ts';
import { type HeartbeatWatch, watchHeartbeat } from './heartbeat-watch.ts';
import { LastMetrics } from './last-metrics.ts';
import type { ManagedWorkerOptions } from './managed-worker-options.ts';
import { WorkerProcess } from './worker-process.ts';
import type { Exit, WorkerMessage } from './worker-process-options.ts';

export interface WorkerInstanceOptions {
  readonly managed: ManagedWorkerOptions;
  readonly config: Config;
  /** Replaces the settings of `config` that have been read again since the start. */
  readonly runtime: RuntimeSettings;
  readonly state: () => WorkerState;
  readonly log: (level: LogLevel, fields: object, message: string) => void;
  readonly onMessage: (message: WorkerMessage) => void;
  /** The worker has accepted a connection. */
  readonly onAccepted: () => void;
  /** The worker must be killed, for this reason; called at each check until it has ended. */
  readonly onCondemned: (reason: string) => void;
  readonly onExit: (exit: Exit) => void;
}

const WARNING_INTERVAL_MS = 60_000;

const showsOutput = ({ logLevel }: Pick<Config, 'logLevel'>): boolean =>
  logLevel === 'debug' || logLevel === 'trace';

/** One worker process from its start to its exit, with all that is known of it. */
export class WorkerInstance {
  readonly #options: WorkerInstanceOptions;
  readonly #process: WorkerProcess;
  readonly #watch: HeartbeatWatch;
  readonly #metrics = new LastMetrics((id) => this.send({ type: 'collect', id }));
  readonly #reconfigurations = new RpcClient<true, RuntimeSettings>((id, settings) =>
    this.send({ type: 'reconfigure', id, ...settings }),
  );
  readonly #listeners: number;
  #accepts = false;
  #accepted = 0;
  #nextWarningMs = 0;
  #serviceId: number | undefined;
  #readySince: number | undefined;
  #remaining: Remaining | undefined;

  constructor(options: WorkerInstanceOptions) {
    this.#options = options;
    const { managed, runtime, state } = options;
    const { tokens, tls, ...reloaded } = runtime;
    const config = { ...options.config, ...reloaded };
    const listeners = managed.listeners();
    this.#listeners = listeners.length;
    this.#process = new WorkerProcess({
      listeners,
      program: managed.program,
      device: managed.device,
      env: managed.env,
      showOutput: showsOutput(config),
      acceptMs: managed.acceptMs,
      log: options.log,
      onMessage: (message) => this.#receive(message),
      onAccepted: options.onAccepted,
      onRevoked: managed.onRevoked,
      onResponsive: managed.onCapacityChange,
      onExit: (exit) => {
        this.#watch.end();
        options.onExit(exit);
      },
    });
    this.send({
      type: 'start',
      config,
      device: managed.device,
      listeners: listeners.length,
      tokens,
      tls,
    });
    this.#watch = watchHeartbeat({
      managed,
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

  /** The service id of its engine, once that is open. */
  get serviceId(): number | undefined {
    return this.#serviceId;
  }

  /** Whether it can accept connections by itself. */
  get accepts(): boolean {
    return this.#accepts && this.#listeners > 0;
  }

  /** Connections that it has accepted by itself, as far as it has reported. */
  get accepted(): number {
    return this.#accepted;
  }

  /** Milliseconds since it was started. */
  get uptimeMs(): number {
    return this.#process.uptimeMs;
  }

  /** Milliseconds since it was ready; 0 before. */
  get readyMs(): number {
    return this.#readySince === undefined ? 0 : performance.now() - this.#readySince;
  }

  /** Whether it has an engine. A worker without one has served no request, and has no pool to leave. */
  get cameUp(): boolean {
    return this.#readySince !== undefined || this.#isLeaving;
  }

  /** Whether a connection is under way to it. */
  get offering(): boolean {
    return this.#process.offering;
  }

  get responsive(): boolean {
    return this.#process.responsive;
  }

  /** Whether it serves no request any more. */
  get drained(): boolean {
    return this.#isLeaving || (!this.cameUp && this.#options.state() === 'draining');
  }

  /** Whether its end cut off no request, however it ended. */
  get finished(): boolean {
    const { requests, calls } = this.#remaining ?? { requests: 0, calls: 0 };
    return !this.cameUp || (this.#isLeaving && requests + calls === 0);
  }

  get #isLeaving(): boolean {
    return this.#remaining?.stage === 'engine';
  }

  /** The last metrics that it has sent. */
  get metrics(): MetricJson[] | undefined {
    return this.#metrics.last;
  }

  send(message: ToWorker): void {
    this.#process.send(message);
  }

  handoff(socket: Socket): boolean {
    return this.#process.handoff(socket);
  }

  /** Requests its metrics; false when it does not respond in time. */
  collect(deadlineMs: number): Promise<boolean> {
    return this.#metrics.collect(deadlineMs);
  }

  /** False when the worker has not confirmed the settings within `deadlineMs`; it gets them once it responds. */
  async reconfigure(settings: RuntimeSettings, deadlineMs: number): Promise<boolean> {
    this.#process.showOutput(showsOutput(settings));
    return (await this.#reconfigurations.call(deadlineMs, settings)) === true;
  }

  kill(): void {
    this.#watch.end();
    this.#process.kill('SIGKILL');
  }

  /** The activity of the worker, in words. */
  describe(): string {
    const { managed, state } = this.#options;
    const worker = { device: managed.device, pid: this.pid, responsive: this.responsive };
    return describeRemaining(worker, state(), this.#remaining);
  }

  /** The worker has ended: calls to it end. Returns the last metrics that it sent. */
  end(): MetricJson[] | undefined {
    this.#reconfigurations.end();
    return this.#metrics.end();
  }

  #receive(message: WorkerMessage): void {
    if (message.type === 'ready') {
      this.#readySince = performance.now();
      this.#serviceId = message.serviceId;
      this.#accepts = message.accepts;
    } else if (message.type === 'heartbeat') this.#watch.heard(message);
    else if (message.type === 'draining') this.#remaining = message;
    else if (message.type === 'accepted') {
      this.#accepted = message.total;
      if (message.isFull) this.#warnOfFull();
    } else if (message.type === 'collected') {
      this.#accepted = message.accepted;
      this.#metrics.collected(message.id, message.metrics);
    }
    if (message.type === 'reconfigured') this.#reconfigurations.responded(message.id, true);
    else if (message.type === 'setLogLevel') void this.#setLogLevel(message.id, message.level);
    else if (message.type === 'scrape') this.#scrape(message.id);
    else if (message.type === 'survey') {
      this.send({ type: 'surveyed', id: message.id, report: this.#options.managed.onSurvey() });
    } else if (message.type === 'review') {
      this.send({ type: 'reviewed', id: message.id, history: this.#options.managed.onReview() });
    }
    this.#options.onMessage(message);
  }

  /** A worker may become full with each connection that ends. */
  #warnOfFull(): void {
    const now = performance.now();
    if (now < this.#nextWarningMs) return;
    this.#nextWarningMs = now + WARNING_INTERVAL_MS;
    this.#options.log(
      'warn',
      {},
      'worker has as many connections as its limit of open files (ulimit -n) allows; it accepts none until one ends',
    );
  }

  async #setLogLevel(id: number, level: LogLevelSetting): Promise<void> {
    this.send({ type: 'logLevelSet', id, ...(await this.#options.managed.onSetLogLevel(level)) });
  }

  #scrape(id: number): void {
    this.#options.managed.onScrape((text) => this.send({ type: 'metrics', id, ...text }));
  }
}
