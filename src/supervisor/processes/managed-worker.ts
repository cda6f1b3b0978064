/** One place in the pool, for one device: it has a worker, waits to start the next one, or has been stopped. */
import type { Socket } from 'node:net';
import type { LogLevel } from '../../log/waiting-log.ts';
import type { Heartbeat } from '../../messages/heartbeat.ts';
import type { MetricJson } from '../../messages/protocol.ts';
import type { RuntimeSettings } from '../../messages/runtime-settings.ts';
import {
  move,
  takesConnections,
  type WorkerEvent,
  type WorkerState,
} from '../../messages/state.ts';
import { createBackoff } from './backoff.ts';
import { describeNone, logExit } from './exit-report.ts';
import type { ManagedWorkerOptions } from './managed-worker-options.ts';
import { WorkerInstance } from './worker-instance.ts';
import type { Exit, WorkerMessage } from './worker-process-options.ts';

const backoffLimits = { firstMs: 100, maxMs: 10_000, maxMsInService: 2000, calmMs: 60_000 };
/** A signal for the whole process group reaches the supervisor and its workers in any order. */
const groupSignalMs = 100;

export class ManagedWorker {
  readonly device: number;
  readonly #options: ManagedWorkerOptions;
  readonly #backoff = createBackoff(backoffLimits);
  #state: WorkerState = 'dead';
  #instance: WorkerInstance | undefined;
  /** The activity of the last worker when it ended, for the operator. */
  #lastActivity: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #restarts = 0;
  #handedOver = 0;
  #stopping = false;
  #unready = false;
  #runtime: RuntimeSettings;
  #clean = true;

  constructor(options: ManagedWorkerOptions) {
    this.#options = options;
    this.#runtime = options.runtime;
    this.device = options.device;
  }

  get state(): WorkerState {
    return this.#state;
  }

  get pid(): number | undefined {
    return this.#instance?.pid;
  }

  /** The service id of the worker's engine, once that is open. */
  get serviceId(): number | undefined {
    return this.#instance?.serviceId;
  }

  /** Milliseconds since its worker was started; 0 without one. */
  get uptimeMs(): number {
    return this.#instance?.uptimeMs ?? 0;
  }

  /** Times a worker was started in the place of a dead one. */
  get restarts(): number {
    return this.#restarts;
  }

  /** Whether connections can be given to its worker, however busy. */
  get serving(): boolean {
    return takesConnections(this.#state) && this.#instance?.responsive === true;
  }

  /** Whether new connections should go to another worker, if there is one. */
  get degraded(): boolean {
    return this.#state === 'degraded';
  }

  /** Whether its worker can accept connections by itself. */
  get accepts(): boolean {
    return this.#instance?.accepts === true;
  }

  /**
   * Whether there is no worker and none will be started, though it was not stopped. Only an
   * uncaught error does that.
   */
  get lost(): boolean {
    return this.#state !== 'stopped' && this.#instance === undefined && this.#timer === undefined;
  }

  /** Connections that its workers have accepted. */
  get handedOver(): number {
    return this.#handedOver + (this.#instance?.accepted ?? 0);
  }

  /** Once stopped: whether the worker finished all requests and exited by itself. */
  get clean(): boolean {
    return this.#clean;
  }

  /** Starts the first worker, or the next one. */
  start(): void {
    this.#move('due');
    const instance: WorkerInstance = new WorkerInstance({
      managed: this.#options,
      config: this.#options.config,
      runtime: this.#runtime,
      state: () => this.#state,
      log: (level, fields, message) => this.#log(level, fields, message),
      onMessage: (message) => this.#receive(message),
      onAccepted: () => {
        this.#handedOver += 1;
        this.#options.onCapacityChange();
      },
      onCondemned: (reason) => this.#condemn(reason),
      onExit: (exit) => this.#exited(instance, exit),
    });
    this.#instance = instance;
    if (this.#unready) instance.send({ type: 'unready' });
    this.#options.regions.started(this.device, (message) => instance.send(message));
    this.#options.onStart();
  }

  handoff(socket: Socket): boolean {
    return takesConnections(this.#state) && this.#instance?.handoff(socket) === true;
  }

  /** Lets its worker accept until it has accepted `connections` since the message with a new epoch. */
  permit(epoch: number, connections: number): void {
    this.#instance?.send({ type: 'permit', epoch, connections });
  }

  /** Requests the metrics of its worker; false when the worker does not respond in time. */
  collect(deadlineMs: number): Promise<boolean> {
    return (this.serving && this.#instance?.collect(deadlineMs)) || Promise.resolve(false);
  }

  /** The last metrics that its worker has sent. */
  get metrics(): MetricJson[] | undefined {
    return this.#instance?.metrics;
  }

  /** Readiness fails from now on, also that of successors; nothing else changes. */
  announceStop(): void {
    this.#unready = true;
    this.#instance?.send({ type: 'unready' });
  }

  /**
   * Gives these settings to its worker and to its successors. False when a worker that serves has not
   * confirmed them within `deadlineMs`; it gets them once it responds.
   */
  async reconfigure(settings: RuntimeSettings, deadlineMs: number): Promise<boolean> {
    this.#runtime = settings;
    const confirmed = this.#instance?.reconfigure(settings, deadlineMs);
    return !takesConnections(this.#state) || (await confirmed) !== false;
  }

  /** Drains the worker and starts no other; `onStopped` follows when it has ended. */
  stop(deadlineMs: number): void {
    this.#stopping = true;
    clearTimeout(this.#timer);
    this.#move('stop');
    if (this.#state === 'stopped') this.#options.onStopped();
    else this.#instance?.send({ type: 'drain', deadlineMs });
  }

  /** Whether its worker serves no request any more, or there is none. */
  get drained(): boolean {
    return this.#instance === undefined || this.#instance.drained;
  }

  get offering(): boolean {
    return this.#instance?.offering === true;
  }

  /** Lets its worker leave the pool, with the objects in its memory. */
  leave(): void {
    this.#instance?.send({ type: 'leave' });
  }

  kill(): void {
    this.#instance?.kill();
  }

  /** The activity that this place waits for, in words. */
  describe(): string {
    return this.#instance?.describe() ?? this.#lastActivity ?? describeNone(this.device);
  }

  #receive(message: WorkerMessage): void {
    switch (message.type) {
      case 'ready':
        this.#move('ready');
        // A stop that was requested while it was starting still applies.
        if (this.#state === 'ready') this.#options.onReady(message);
        break;
      case 'heartbeat':
        this.#beat(message);
        break;
      case 'accepted':
        this.#options.onAccepted(message);
        break;
      case 'region':
      case 'regionCounts':
      case 'askRegions':
        this.#options.regions.receive(this.device, message);
        break;
      case 'asked':
        setTimeout((asking) => this.#drainAlone(asking), groupSignalMs, this.#instance);
        break;
      case 'draining':
        this.#move('draining');
        if (message.stage === 'engine') this.#options.onDrained();
        break;
      case 'failed':
        this.#log(message.permanent ? 'fatal' : 'error', {}, message.message);
        if (message.permanent) this.#options.onPermanentFailure(message.message);
        break;
    }
  }

  /** After a SIGTERM to the worker alone: it drains, and a successor follows. */
  #drainAlone(asking: WorkerInstance | undefined): void {
    if (this.#unready || this.#stopping) return;
    if (this.#instance !== asking || this.#state === 'draining') return;
    this.#move('draining');
    // After the last connection: a draining worker gets no further one.
    this.#instance?.send({ type: 'drain', deadlineMs: this.#options.config.drainMs });
  }

  #beat(beat: Heartbeat): void {
    const before = this.#state;
    const event = beat.stuck ? 'stuck' : 'recovered';
    if (move(before, event) === before) return;
    this.#move(event);
    const { inFlight, late } = beat;
    if (beat.stuck) this.#log('warn', { inFlight, late }, 'worker is degraded: engine calls hang');
    else this.#log('info', { inFlight, late }, 'worker has recovered: engine calls return');
  }

  /** A stop has limits of its own, and its report names what was stuck. */
  #condemn(reason: string): void {
    if (this.#stopping) return;
    this.#log('error', {}, `worker is killed and replaced: ${reason}`);
    this.kill();
  }

  #exited(instance: WorkerInstance, exit: Exit): void {
    const { cameUp, finished, pid, readyMs } = instance;
    this.#lastActivity = instance.describe();
    this.#instance = undefined;
    this.#handedOver += instance.accepted;
    this.#options.regions.ended(this.device);
    const metrics = instance.end();
    if (metrics !== undefined) this.#options.onEnded(metrics);
    const log = this.#log.bind(this);
    const expected = this.#state === 'draining' && exit.code === 0;
    this.#move('exited');
    if (this.#stopping) {
      this.#clean = expected || finished;
      if (!expected) logExit(log, exit, { calm: !cameUp, worker: pid });
      this.#move('stop');
      this.#options.onStopped();
      return;
    }
    const backoffMs = Math.round(this.#backoff.afterDeath(readyMs));
    logExit(log, exit, { calm: expected, worker: pid, backoffMs });
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#restarts += 1;
      this.start();
    }, backoffMs);
  }

  #log(level: LogLevel, fields: object, message: string): void {
    this.#options.log[level]({ device: this.device, worker: this.pid, ...fields }, message);
  }

  #move(event: WorkerEvent): void {
    this.#state = move(this.#state, event);
    this.#options.onCapacityChange();
  }
}
