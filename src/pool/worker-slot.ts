/**
 * One place in the pool, for one device: it always has a worker, is waiting to start the next one,
 * or has been stopped.
 */
import type { Socket } from 'node:net';
import type { Config } from '../config.ts';
import type { Reloadable } from '../config-reload.ts';
import { createBackoff } from './backoff.ts';
import { describeExit, describeRemaining, levelOfExit, type Remaining } from './departure.ts';
import type { Heartbeat } from './heartbeat.ts';
import { type HeartbeatWatch, watchHeartbeat } from './heartbeat-watch.ts';
import type { LogLevel } from './log.ts';
import type { MetricJson } from './protocol.ts';
import { createSlotMetrics } from './slot-metrics.ts';
import type { SlotOptions } from './slot-options.ts';
import { move, takesConnections, type WorkerEvent, type WorkerState } from './state.ts';
import { type Exit, type WorkerMessage, WorkerProcess } from './worker-process.ts';

const backoffLimits = {
  firstMs: 100,
  mostMs: 10_000,
  mostMsInService: 2000,
  calmMs: 60_000,
};
/** A signal for the whole process group reaches the supervisor and its workers in any order. */
const groupSignalMs = 100;

const showsNoise = ({ logLevel }: Pick<Config, 'logLevel'>): boolean =>
  logLevel === 'debug' || logLevel === 'trace';

export class WorkerSlot {
  readonly device: number;
  readonly #options: SlotOptions;
  readonly #backoff = createBackoff(backoffLimits);
  readonly #metrics = createSlotMetrics();
  #state: WorkerState = 'dead';
  #process: WorkerProcess | undefined;
  #watch: HeartbeatWatch | undefined;
  #timer: NodeJS.Timeout | undefined;
  #lastPid: number | undefined;
  #restarts = 0;
  #handedOver = 0;
  #serviceId: number | undefined;
  #readySince: number | undefined;
  #stopping = false;
  #unready = false;
  /** What has changed since the gateway was started. */
  #reloaded: Reloadable | undefined;
  #remaining: Remaining | undefined;
  #clean = true;

  constructor(options: SlotOptions) {
    this.#options = options;
    this.device = options.device;
  }

  get state(): WorkerState {
    return this.#state;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Of its worker's engine, once that is open. */
  get serviceId(): number | undefined {
    return this.#serviceId;
  }

  /** Milliseconds since its worker was started; 0 without one. */
  get uptimeMs(): number {
    return this.#process?.uptimeMs ?? 0;
  }

  /** Times a worker was started in the place of a dead one. */
  get restarts(): number {
    return this.#restarts;
  }

  /** Whether connections can be given to its worker, however busy. */
  get serving(): boolean {
    return takesConnections(this.#state) && this.#process?.answers === true;
  }

  /** Whether another worker, if there is one, should have the connections that come. */
  get degraded(): boolean {
    return this.#state === 'degraded';
  }

  /** Whether there is no worker, none to come, and no end: which only an error can bring about. */
  get lost(): boolean {
    return this.#state !== 'stopped' && this.#process === undefined && this.#timer === undefined;
  }

  /** Connections that its workers took. */
  get handedOver(): number {
    return this.#handedOver;
  }

  /** Once stopped: whether the worker finished everything and left by itself. */
  get clean(): boolean {
    return this.#clean;
  }

  /** Starts the first worker, or the next one. */
  start(): void {
    const { answerMs, device, env, program, version } = this.#options;
    const config = { ...this.#options.config, ...this.#reloaded };
    this.#move('due');
    this.#remaining = undefined;
    this.#process = new WorkerProcess({
      program,
      device,
      env,
      showNoise: showsNoise(config),
      answerMs,
      log: (level, fields, message) => this.#log(level, fields, message),
      onMessage: (message) => this.#receive(message),
      onTaken: () => {
        this.#handedOver += 1;
        this.#options.onTurn();
      },
      onReturned: this.#options.onReturned,
      onAnswering: this.#options.onTurn,
      onExit: (exit) => this.#exited(exit),
    });
    this.#lastPid = this.#process.pid;
    this.#process.send({ type: 'start', config, device, version });
    if (this.#unready) this.#process.send({ type: 'unready' });
    this.#watch = watchHeartbeat({
      slot: this.#options,
      pid: this.pid,
      state: () => this.#state,
      onSilent: () => {
        if (takesConnections(this.#state)) this.#process?.silent();
      },
      onVerdict: (reason) => this.#condemn(reason),
    });
    this.#options.onStart();
  }

  handOver(socket: Socket): boolean {
    return takesConnections(this.#state) && this.#process?.handOver(socket) === true;
  }

  /** Asks its worker for its metrics; true when they are there, false when it does not answer in time. */
  collect(deadlineMs: number): Promise<boolean> {
    if (!this.serving) return Promise.resolve(false);
    return this.#metrics.ask((id) => this.#process?.send({ type: 'collect', id }), deadlineMs);
  }

  /** The last that its worker has told. */
  get metrics(): MetricJson[] | undefined {
    return this.#metrics.last;
  }

  /** Readiness fails from now on, that of successors too; nothing else changes. */
  announceStop(): void {
    this.#unready = true;
    this.#process?.send({ type: 'unready' });
  }

  /** Gives its worker other settings, and its successors. */
  reconfigure(settings: Reloadable): void {
    this.#reloaded = settings;
    this.#process?.showNoise(showsNoise(settings));
    this.#process?.send({ type: 'reconfigure', ...settings });
  }

  /** Drains the worker and starts no other; `onStopped` follows when it is gone. */
  stop(deadlineMs: number): void {
    this.#stopping = true;
    clearTimeout(this.#timer);
    this.#move('stop');
    if (this.#state === 'stopped') this.#options.onStopped();
    else this.#process?.send({ type: 'drain', deadlineMs });
  }

  /** Whether its worker serves nobody any more, if there is one. */
  get drained(): boolean {
    return this.#process === undefined || this.#remaining?.stage === 'engine';
  }

  /** Lets its worker leave the pool, with the objects in its memory. */
  leave(): void {
    this.#process?.send({ type: 'leave' });
  }

  kill(): void {
    this.#process?.kill('SIGKILL');
  }

  /** What this slot is waiting for, in words. */
  describe(): string {
    const answers = this.#process?.answers ?? true;
    const worker = { device: this.device, pid: this.#lastPid, answers };
    return describeRemaining(worker, this.#state, this.#remaining);
  }

  #receive(message: WorkerMessage): void {
    switch (message.type) {
      case 'ready':
        this.#move('ready');
        this.#readySince = performance.now();
        this.#serviceId = message.serviceId;
        // A stop that came while it was starting still holds.
        if (this.#state === 'ready') this.#options.onReady(message);
        break;
      case 'heartbeat':
        this.#beat(message);
        break;
      case 'asked':
        setTimeout(() => this.#drainAlone(this.#lastPid), groupSignalMs);
        break;
      case 'draining':
        this.#move('draining');
        this.#remaining = message;
        if (message.stage === 'engine') this.#options.onDrained();
        break;
      case 'failed':
        this.#log(message.permanent ? 'fatal' : 'error', {}, message.message);
        if (message.permanent) this.#options.onPermanentFailure(message.message);
        break;
      case 'collected':
        this.#metrics.collected(message.id, message.metrics);
        break;
      case 'scrape':
        this.#options.onScrape((text) =>
          this.#process?.send({ type: 'metrics', id: message.id, ...text }),
        );
        break;
      case 'survey':
        this.#process?.send({
          type: 'surveyed',
          id: message.id,
          report: this.#options.onSurvey(),
        });
        break;
    }
  }

  /** On somebody's wish, unless the whole gateway ends: its successor follows. */
  #drainAlone(pid: number | undefined): void {
    if (this.#unready || this.#stopping || this.pid !== pid || this.#state === 'draining') return;
    this.#move('draining');
    // Behind the last connection: nothing more is sent to it.
    this.#process?.send({ type: 'drain', deadlineMs: this.#options.config.drainMs });
  }

  #beat(beat: Heartbeat): void {
    this.#watch?.heard(beat);
    const before = this.#state;
    const event = beat.stuck ? 'stuck' : 'recovered';
    if (move(before, event) === before) return;
    this.#move(event);
    const { inFlight, late } = beat;
    if (beat.stuck) this.#log('warn', { inFlight, late }, 'worker is degraded: engine calls hang');
    else this.#log('info', { inFlight, late }, 'worker has recovered: engine calls return');
  }

  /** A stop has limits of its own, which tell what was stuck. */
  #condemn(reason: string): void {
    if (this.#stopping) return;
    this.#watch?.end();
    this.#log('error', {}, `worker is killed and replaced: ${reason}`);
    this.kill();
  }

  #exited(exit: Exit): void {
    this.#watch?.end();
    const pid = this.pid;
    const readyMs = this.#readySince === undefined ? 0 : performance.now() - this.#readySince;
    // Who has not come up has served nobody, and has no pool to leave.
    const cameUp = readyMs > 0 || this.#remaining?.stage === 'engine';
    this.#readySince = undefined;
    this.#serviceId = undefined;
    this.#process = undefined;
    const told = this.#metrics.end();
    if (told !== undefined) this.#options.onGone(told);
    const expected = this.#state === 'draining' && exit.code === 0;
    this.#move('exited');
    if (this.#stopping) {
      this.#clean = expected || !cameUp;
      if (!expected) this.#logExit(exit, pid, { expected, wasted: !cameUp }, {});
      this.#move('stop');
      this.#options.onStopped();
      return;
    }
    const backoffMs = Math.round(this.#backoff.afterDeath(readyMs));
    this.#logExit(exit, pid, { expected, wasted: false }, { backoffMs });
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#restarts += 1;
      this.start();
    }, backoffMs);
  }

  #logExit(
    exit: Exit,
    worker: number | undefined,
    judgement: Parameters<typeof levelOfExit>[0],
    others: object,
  ): void {
    const { fields, message } = describeExit(exit);
    this.#log(levelOfExit(judgement), { worker, ...fields, ...others }, message);
  }

  #log(level: LogLevel, fields: object, message: string): void {
    this.#options.log[level]({ device: this.device, worker: this.pid, ...fields }, message);
  }

  #move(event: WorkerEvent): void {
    this.#state = move(this.#state, event);
    this.#options.onTurn();
  }
}
