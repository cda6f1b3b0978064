/**
 * The supervisor: owns the listeners, hands connections to ready workers in turn, and ends everything in
 * order. It loads no native code, and guards itself (guard.ts), so that nothing but a signal can bring
 * it down.
 */
import type { Reloadable } from '../config-reload.ts';
import { type ComingUp, createComingUp } from './coming-up.ts';
import { createDispatch, type Dispatch } from './dispatch.ts';
import { createEnding, type Ending } from './ending.ts';
import type { TcpListener } from './listener.ts';
import { type Listeners, openListeners } from './listeners.ts';
import { createProgress, type Progress } from './progress.ts';
import type { MetricsText, WorkerFacts } from './protocol.ts';
import { type PoolReport, reportPool } from './report.ts';
import { createScrape, type Scrape } from './scrape.ts';
import { describeSituation, type Situation } from './situation.ts';
import { createStandbyHost, type StandbyHost } from './standby-host.ts';
import { takesConnections } from './state.ts';
import type { PoolNumbers, SupervisorOptions } from './supervisor-options.ts';
import { WorkerSlot } from './worker-slot.ts';

/** A worker that does not tell its metrics in this time is counted as it last told. */
const collectMs = 2000;
const patienceMs = 10_000;
const answerMs = 2000;

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #slots: readonly WorkerSlot[];
  readonly #dispatch: Dispatch;
  readonly #comingUp: ComingUp;
  readonly #progress: Progress;
  readonly #scrape: Scrape;
  readonly #ending: Ending;
  #listeners: Listeners | undefined;
  readonly #standby: StandbyHost;
  #stopping = false;
  #failed = false;
  #finish: (code: number) => void = () => {};

  /** Resolves with the program's exit code when everything has ended. */
  readonly finished = new Promise<number>((resolve) => {
    this.#finish = resolve;
  });

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#slots = options.devices.map((device) => this.#createSlot(device));
    this.#comingUp = createComingUp(options.devices, options.config.readyWhen);
    const clients = () => this.report().clients;
    this.#progress = createProgress({ log: options.log, clients });
    this.#standby = createStandbyHost({
      config: options.config,
      log: options.log,
      situation: () => this.#situation(),
      metricsText: () => this.metricsText(),
      report: () => this.report(),
    });
    this.#dispatch = createDispatch({
      places: this.#slots,
      standby: () => this.#standby.load(),
      patienceMs: options.patienceMs ?? patienceMs,
    });
    this.#scrape = createScrape({
      sources: this.#slots,
      render: (samples) => options.renderMetrics(samples, this.#numbers()),
      collectMs,
    });
    this.#ending = createEnding({
      config: options.config,
      log: options.log,
      places: this.#slots,
      dispatch: this.#dispatch,
      listeners: () => this.#listeners,
      onClosing: () => this.#progress.end(),
      onOverdue: (reason) => this.kill(reason),
    });
  }

  /**
   * Opens all listeners, then starts the workers: probes get a 503 instead of a refusal, and a port in
   * use costs no start of an engine.
   * @throws ListenError when one cannot be opened; nothing is open and nothing was started then.
   */
  async start(): Promise<void> {
    const { config, log } = this.#options;
    this.#listeners = await openListeners(config, (socket) => this.#dispatch.accept(socket));
    if (this.#stopping) {
      this.#listeners.close();
      return;
    }
    const { addresses, tcp } = this.#listeners;
    log.debug(
      { addresses, port: tcp?.port },
      'all ports and sockets are open; workers are being started',
    );
    for (const slot of this.#slots) slot.start();
    // Behind the fork, so that both load at the same time.
    void this.#standby.load();
  }

  /** Ends in order (ending.ts). */
  stop(reason: string): void {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#ending.begin(reason, this.#comingUp.ever);
  }

  /** Gives all workers other settings, and those that start later. */
  reconfigure(settings: Reloadable): void {
    for (const slot of this.#slots) slot.reconfigure(settings);
  }

  /** Ends at once, and says what was not finished. */
  kill(reason: string): void {
    this.#failed = true;
    this.#options.complain(`ended at once (${reason}): ${this.describe()}`);
    this.#stopping = true;
    this.#ending.hurry();
    const stuck = this.#slots.filter((slot) => slot.state !== 'stopped');
    for (const slot of stuck) slot.kill();
  }

  /** What has not ended, in words. */
  describe(): string {
    const left = this.#slots.filter((slot) => slot.state !== 'stopped');
    return left.map((slot) => slot.describe()).join('; ');
  }

  /** Places that have no worker and will get none, in words; there are none unless an error made one. */
  describeLost(): string {
    const lost = this.#slots.filter((slot) => slot.lost);
    return lost.map(({ device }) => `device ${device} has no worker any more`).join(', ');
  }

  get stopping(): boolean {
    return this.#stopping;
  }

  /** The first that has a port, once it is open. */
  get listener(): TcpListener | undefined {
    return this.#listeners?.tcp;
  }

  /** Each worker, and whether the gateway is ready. */
  report(): PoolReport {
    return reportPool(this.#slots, this.#options.config.readyWhen);
  }

  /** In Prometheus's text format. */
  metricsText(): Promise<MetricsText> {
    return this.#scrape.text();
  }

  #numbers(): PoolNumbers {
    return {
      slots: this.#slots,
      waitingConnections: this.#dispatch.waitingConnections,
      standbyConnections: this.#dispatch.standbyConnections,
      standbyAnswers: this.#standby.answers,
    };
  }

  #createSlot(device: number): WorkerSlot {
    const { config, version, program, env, log } = this.#options;
    return new WorkerSlot({
      config,
      version,
      device,
      program,
      env: env(device),
      answerMs: this.#options.answerMs ?? answerMs,
      log,
      onStart: () => this.#progress.started(),
      onReady: (facts) => this.#ready(facts),
      onPermanentFailure: (message) => this.#failPermanently(device, message),
      onSurvey: () => this.report(),
      onScrape: (reply) => {
        this.#scrape
          .text()
          .then(reply, (error: unknown) =>
            log.error({ err: error }, 'metrics could not be added up'),
          );
      },
      onReturned: (socket) => this.#dispatch.accept(socket),
      onTurn: () => this.#dispatch.turn(),
      onGone: (metrics) => this.#scrape.ended(metrics),
      onDrained: () => this.#letGo(device),
      onStopped: () => this.#slotStopped(),
    });
  }

  #ready(facts: WorkerFacts): void {
    const { device } = facts;
    const report = this.report();
    const news = this.#comingUp.ready(device, report.ready);
    if (news !== 'announce') this.#options.log.info({ device }, `worker is ${news}`);
    else if (this.#listeners !== undefined) this.#options.onReady(facts, this.#listeners, report);
  }

  #failPermanently(device: number, message: string): void {
    const reason = this.#comingUp.failed(device, message);
    if (reason === undefined || this.#failed) return;
    this.#failed = true;
    this.#options.complain(reason);
    this.stop('no worker can start');
  }

  /** One that ends alone leaves at once; all together when the last of them has drained. */
  #letGo(device: number): void {
    if (this.#stopping && this.#slots.some(({ drained }) => !drained)) return;
    const leaving = this.#stopping
      ? this.#slots
      : this.#slots.filter((slot) => slot.device === device);
    for (const slot of leaving) slot.leave();
  }

  #slotStopped(): void {
    if (this.#slots.every(({ drained }) => drained)) for (const slot of this.#slots) slot.leave();
    if (this.#slots.some((slot) => slot.state !== 'stopped')) return;
    this.#ending.done();
    const unclean = this.#slots.filter((slot) => !slot.clean);
    if (unclean.length > 0 && !this.#failed) {
      this.#failed = true;
      const what = unclean.map((slot) => slot.describe()).join('; ');
      this.#options.complain(`ended with requests or calls cut off: ${what}`);
    }
    void this.#standby
      .lastAnswers(() => this.#failed)
      .then(() => this.#finish(this.#failed ? 1 : 0));
  }

  #situation(): Situation {
    const ready = this.#slots.filter(({ state }) => takesConnections(state));
    return describeSituation({
      stopping: this.#stopping,
      serving: this.#dispatch.serving,
      silent: ready.filter(({ serving }) => !serving).map(({ device }) => device),
      everReady: this.#comingUp.ever,
    });
  }
}
