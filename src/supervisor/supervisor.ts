/**
 * The supervisor: owns the listeners, hands connections to ready workers in turn, and ends
 * everything in order. It loads no native code and survives uncaught errors (guard.ts), so that
 * only a signal ends it.
 */
import type { MetricsText, WorkerFacts } from '../messages/protocol.ts';
import { type PoolReport, reportPool } from '../messages/report.ts';
import type { LogLevelOutcome, RuntimeSettings } from '../messages/runtime-settings.ts';
import { takesConnections } from '../messages/state.ts';
import { descriptorShare } from '../os/descriptors.ts';
import { Accepting } from './accepting.ts';
import type { Readiness } from './admin-responses.ts';
import { Dispatch } from './dispatch/dispatch.ts';
import { FallbackHost } from './fallback-host.ts';
import { History } from './history.ts';
import type { TcpListener } from './listeners/listener.ts';
import { ManagedWorker } from './processes/managed-worker.ts';
import { createProgress, type Progress } from './progress.ts';
import { RegionTable } from './regions/region-table.ts';
import { createScrape, type Scrape } from './scrape.ts';
import { Shutdown } from './shutdown.ts';
import { createStartupState, type StartupState } from './startup-state.ts';
import type { PoolNumbers, SupervisorOptions } from './supervisor-options.ts';
import { type Unavailability, unavailableReason } from './unavailable-reason.ts';

/** A worker that does not send its metrics in this time is counted with those that it sent last. */
const collectMs = 2000;
/** A worker that does not confirm new settings in this time is reported. */
const confirmMs = 2000;
const maxWaitMs = 10_000;
const acceptMs = 2000;

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #workers: readonly ManagedWorker[];
  readonly #dispatch: Dispatch;
  readonly #accepting: Accepting<ManagedWorker>;
  readonly #startup: StartupState;
  readonly #progress: Progress;
  readonly #scrape: Scrape;
  readonly #history: History;
  readonly #shutdown: Shutdown;
  readonly #fallback: FallbackHost;
  readonly #regions: RegionTable;
  #stopping = false;
  #failed = false;
  #finish: (code: number) => void = () => {};

  /** Resolves with the program's exit code when everything has ended. */
  readonly finished = new Promise<number>((resolve) => {
    this.#finish = resolve;
  });

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#regions = new RegionTable({
      config: options.config,
      log: options.log,
      isServing: (device) => this.#workers.some((each) => each.device === device && each.serving),
    });
    this.#workers = options.devices.map((device) => this.#createWorker(device));
    this.#startup = createStartupState(options.devices, options.config.readyWhen);
    const clients = () => this.report().clients;
    this.#progress = createProgress({ log: options.log, clients });
    this.#fallback = new FallbackHost({
      config: options.config,
      runtime: options.runtime,
      log: options.log,
      unavailability: () => this.#unavailability(),
      metricsText: () => this.metricsText(),
      report: () => this.report(),
      readiness: () => this.#readiness(),
      history: () => this.#history.recent(),
    });
    this.#dispatch = new Dispatch({
      workers: this.#workers,
      fallback: () => this.#fallback.load(),
      maxWaitMs: options.maxWaitMs ?? maxWaitMs,
    });
    this.#accepting = new Accepting({
      config: options.config,
      log: options.log,
      workers: this.#workers,
      onConnection: (socket) => this.#dispatch.accept(socket),
      onAdmin: (socket) => this.#fallback.acceptAdmin(socket),
    });
    this.#scrape = createScrape({
      sources: this.#workers,
      render: (samples) => options.renderMetrics(samples, this.#numbers()),
      collectMs,
    });
    this.#history = new History({
      sample: async () => options.readTotals(await this.#scrape.samples()),
      onFailure: (error) => options.log.error({ err: error }, 'the status page has no new figures'),
    });
    this.#shutdown = new Shutdown({
      config: options.config,
      log: options.log,
      workers: this.#workers,
      dispatch: this.#dispatch,
      listeners: () => this.#accepting.listeners,
      onClosing: () => {
        this.#progress.end();
        this.#history.end();
        return this.#accepting.end();
      },
      onOverdue: (reason) => this.kill(reason),
    });
  }

  /**
   * Opens all listeners, then starts the workers: probes get a 503 instead of a refused connection,
   * and no engine is started for a port in use.
   * @throws ListenError when a listener cannot be opened; no other is open then, and no worker was
   * started.
   */
  async start(): Promise<void> {
    const { log } = this.#options;
    const listeners = await this.#accepting.open();
    if (this.#stopping) {
      listeners.close();
      return;
    }
    const { addresses, tcp } = listeners;
    log.debug(
      { addresses, port: tcp?.port },
      'all ports and sockets are open; workers are being started',
    );
    for (const worker of this.#workers) worker.start();
    // After the forks, so that workers and fallback server load at the same time.
    void this.#fallback.load();
    void this.#accepting.share();
    this.#history.start();
  }

  /** Ends in order (shutdown.ts). */
  stop(reason: string): void {
    if (this.#stopping) return;
    this.#stopping = true;
    void this.#shutdown.begin(reason, this.#startup.ever);
  }

  /**
   * Gives these settings to all workers, also to those that start later, and to the fallback server. Resolves
   * with the devices whose ready worker has not confirmed them in time.
   */
  async reconfigure(settings: RuntimeSettings): Promise<LogLevelOutcome> {
    this.#fallback.reconfigure(settings);
    const confirmed = await Promise.all(
      this.#workers.map((worker) => worker.reconfigure(settings, confirmMs)),
    );
    const pending = this.#workers.filter((_, at) => confirmed[at] !== true);
    return { pendingDevices: pending.map(({ device }) => device) };
  }

  /** Removes socket files too. The process must end at once. */
  closeListeners(): void {
    this.#accepting.listeners?.close();
  }

  /** Ends at once, and reports to the operator what was not finished. */
  kill(reason: string): void {
    this.#failed = true;
    this.#options.complain(`ended at once (${reason}): ${this.describe()}`);
    this.#stopping = true;
    void this.#accepting.end();
    this.#shutdown.hurry();
    const stuck = this.#workers.filter((worker) => worker.state !== 'stopped');
    for (const worker of stuck) worker.kill();
  }

  /** The workers that have not ended, in words. */
  describe(): string {
    const left = this.#workers.filter((worker) => worker.state !== 'stopped');
    return left.map((worker) => worker.describe()).join('; ');
  }

  /** Places that have no worker and will get none, in words. Only an uncaught error makes one. */
  describeLost(): string {
    const lost = this.#workers.filter((worker) => worker.lost);
    return lost.map(({ device }) => `device ${device} has no worker any more`).join(', ');
  }

  get stopping(): boolean {
    return this.#stopping;
  }

  /** The first listener with a port, once it is open. */
  get listener(): TcpListener | undefined {
    return this.#accepting.listeners?.tcp;
  }

  /** Each worker, and whether the gateway is ready. */
  report(): PoolReport {
    return reportPool(this.#workers, this.#options.config.readyWhen);
  }

  /** In Prometheus's text format. */
  metricsText(): Promise<MetricsText> {
    return this.#scrape.text();
  }

  #numbers(): PoolNumbers {
    return {
      workers: this.#workers,
      waitingConnections: this.#dispatch.waitingConnections,
      fallbackConnections: this.#dispatch.fallbackConnections,
      fallbackResponses: this.#fallback.responses,
      handshakeFaults: this.#fallback.handshakeFaults,
      descriptorShare: descriptorShare(),
      tokenFile: this.#options.tokenFile?.(),
      tlsFiles: this.#options.tlsFiles?.(),
    };
  }

  #createWorker(device: number): ManagedWorker {
    const { config, runtime, program, env, log } = this.#options;
    const worker: ManagedWorker = new ManagedWorker({
      config,
      runtime,
      device,
      program,
      env: env(device),
      listeners: () => this.#accepting.descriptors,
      acceptMs: this.#options.acceptMs ?? acceptMs,
      log,
      onStart: () => this.#progress.started(),
      onReady: (facts) => this.#ready(facts),
      onPermanentFailure: (message) => this.#failPermanently(device, message),
      onSurvey: () => this.report(),
      onSetLogLevel: this.#options.setLogLevel,
      onReview: () => this.#history.recent(),
      onScrape: (reply) => {
        this.#scrape
          .text()
          .then(reply, (error: unknown) =>
            log.error({ err: error }, 'metrics could not be added up'),
          );
      },
      onRevoked: (socket) => this.#dispatch.accept(socket),
      onCapacityChange: () => {
        this.#dispatch.serveQueue();
        this.#accepting.update();
      },
      onAccepted: (report) => this.#accepting.accepted(worker, report),
      onEnded: (metrics) => this.#scrape.workerEnded(metrics),
      onDrained: () => this.#letGo(device),
      onStopped: () => this.#workerStopped(),
      regions: this.#regions,
    });
    return worker;
  }

  #ready(facts: WorkerFacts): void {
    const { device } = facts;
    const { listeners } = this.#accepting;
    const report = this.report();
    const news = this.#startup.ready(device, report.ready);
    if (news === 'announce') this.#history.ready();
    if (news !== 'announce') this.#options.log.info({ device }, `worker is ${news}`);
    else if (listeners !== undefined) this.#options.onReady(facts, listeners, report);
  }

  #failPermanently(device: number, message: string): void {
    const reason = this.#startup.failed(device, message);
    if (reason === undefined || this.#failed) return;
    this.#failed = true;
    this.#options.complain(reason);
    this.stop('no worker can start');
  }

  /** A worker that ends alone leaves the pool at once; all together, when the last of them has drained. */
  #letGo(device: number): void {
    if (this.#stopping && this.#workers.some(({ drained }) => !drained)) return;
    const leaving = this.#stopping
      ? this.#workers
      : this.#workers.filter((worker) => worker.device === device);
    for (const worker of leaving) worker.leave();
  }

  #workerStopped(): void {
    if (this.#workers.every(({ drained }) => drained))
      for (const worker of this.#workers) worker.leave();
    if (this.#workers.some((worker) => worker.state !== 'stopped')) return;
    this.#shutdown.done();
    const unclean = this.#workers.filter((worker) => !worker.clean);
    if (unclean.length > 0 && !this.#failed) {
      this.#failed = true;
      const what = unclean.map((worker) => worker.describe()).join('; ');
      this.#options.complain(`ended with requests or calls cut off: ${what}`);
    }
    void this.#fallback
      .lastResponses(() => this.#failed)
      .then(() => this.#finish(this.#failed ? 1 : 0));
  }

  #readiness(): Readiness {
    if (this.#stopping) return { ready: false, detail: this.#unavailability().detail };
    return this.report();
  }

  #unavailability(): Unavailability {
    const ready = this.#workers.filter(({ state }) => takesConnections(state));
    return unavailableReason({
      stopping: this.#stopping,
      serving: this.#dispatch.serving,
      silent: ready.filter(({ serving }) => !serving).map(({ device }) => device),
      everReady: this.#startup.ever,
    });
  }
}
