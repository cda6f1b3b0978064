/**
 * One place in the pool, for one device: it always has a worker, is waiting to start the next one,
 * or has been stopped.
 */
import type { Socket } from 'node:net';
import type { Reloadable } from '../config-reload.ts';
import { createBackoff } from './backoff.ts';
import { describeNone, logExit } from './departure.ts';
import type { Heartbeat } from './heartbeat.ts';
import type { LogLevel } from './log.ts';
import type { MetricJson } from './protocol.ts';
import type { SlotOptions } from './slot-options.ts';
import { move, takesConnections, type WorkerEvent, type WorkerState } from './state.ts';
import type { Exit, WorkerMessage } from './worker-process.ts';
import { WorkerTerm } from './worker-term.ts';

const backoffLimits = {
  firstMs: 100,
  mostMs: 10_000,
  mostMsInService: 2000,
  calmMs: 60_000,
};
/** A signal for the whole process group reaches the supervisor and its workers in any order. */
const groupSignalMs = 100;

export class WorkerSlot {
  readonly device: number;
  readonly #options: SlotOptions;
  readonly #backoff = createBackoff(backoffLimits);
  #state: WorkerState = 'dead';
  #term: WorkerTerm | undefined;
  /** The last one's, which an operator may want to know. */
  #lastWords: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #restarts = 0;
  #handedOver = 0;
  #stopping = false;
  #unready = false;
  /** What has changed since the gateway was started. */
  #reloaded: Reloadable | undefined;
  #clean = true;

  constructor(options: SlotOptions) {
    this.#options = options;
    this.device = options.device;
  }

  get state(): WorkerState {
    return this.#state;
  }

  get pid(): number | undefined {
    return this.#term?.pid;
  }

  /** Of its worker's engine, once that is open. */
  get serviceId(): number | undefined {
    return this.#term?.serviceId;
  }

  /** Milliseconds since its worker was started; 0 without one. */
  get uptimeMs(): number {
    return this.#term?.uptimeMs ?? 0;
  }

  /** Times a worker was started in the place of a dead one. */
  get restarts(): number {
    return this.#restarts;
  }

  /** Whether connections can be given to its worker, however busy. */
  get serving(): boolean {
    return takesConnections(this.#state) && this.#term?.answers === true;
  }

  /** Whether another worker, if there is one, should have the connections that come. */
  get degraded(): boolean {
    return this.#state === 'degraded';
  }

  /** Whether there is no worker, none to come, and no end: which only an error can bring about. */
  get lost(): boolean {
    return this.#state !== 'stopped' && this.#term === undefined && this.#timer === undefined;
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
    this.#move('due');
    const term: WorkerTerm = new WorkerTerm({
      slot: this.#options,
      config: { ...this.#options.config, ...this.#reloaded },
      state: () => this.#state,
      log: (level, fields, message) => this.#log(level, fields, message),
      onMessage: (message) => this.#receive(message),
      onTaken: () => {
        this.#handedOver += 1;
        this.#options.onTurn();
      },
      onCondemned: (reason) => this.#condemn(reason),
      onExit: (exit) => this.#exited(term, exit),
    });
    this.#term = term;
    if (this.#unready) term.send({ type: 'unready' });
    this.#options.onStart();
  }

  handOver(socket: Socket): boolean {
    return takesConnections(this.#state) && this.#term?.handOver(socket) === true;
  }

  /** Asks its worker for its metrics; true when they are there, false when it does not answer in time. */
  collect(deadlineMs: number): Promise<boolean> {
    return (this.serving && this.#term?.collect(deadlineMs)) || Promise.resolve(false);
  }

  /** The last that its worker has told. */
  get metrics(): MetricJson[] | undefined {
    return this.#term?.metrics;
  }

  /** Readiness fails from now on, that of successors too; nothing else changes. */
  announceStop(): void {
    this.#unready = true;
    this.#term?.send({ type: 'unready' });
  }

  /** Gives its worker other settings, and its successors. */
  reconfigure(settings: Reloadable): void {
    this.#reloaded = settings;
    this.#term?.reconfigure(settings);
  }

  /** Drains the worker and starts no other; `onStopped` follows when it is gone. */
  stop(deadlineMs: number): void {
    this.#stopping = true;
    clearTimeout(this.#timer);
    this.#move('stop');
    if (this.#state === 'stopped') this.#options.onStopped();
    else this.#term?.send({ type: 'drain', deadlineMs });
  }

  /** Whether its worker serves nobody any more, if there is one. */
  get drained(): boolean {
    return this.#term === undefined || this.#term.drained;
  }

  get offering(): boolean {
    return this.#term?.offering === true;
  }

  /** Lets its worker leave the pool, with the objects in its memory. */
  leave(): void {
    this.#term?.send({ type: 'leave' });
  }

  kill(): void {
    this.#term?.kill();
  }

  /** What this slot is waiting for, in words. */
  describe(): string {
    return this.#term?.describe() ?? this.#lastWords ?? describeNone(this.device);
  }

  #receive(message: WorkerMessage): void {
    switch (message.type) {
      case 'ready':
        this.#move('ready');
        // A stop that came while it was starting still holds.
        if (this.#state === 'ready') this.#options.onReady(message);
        break;
      case 'heartbeat':
        this.#beat(message);
        break;
      case 'asked':
        setTimeout((asking) => this.#drainAlone(asking), groupSignalMs, this.#term);
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

  /** On somebody's wish, unless the whole gateway ends: its successor follows. */
  #drainAlone(asking: WorkerTerm | undefined): void {
    if (this.#unready || this.#stopping) return;
    if (this.#term !== asking || this.#state === 'draining') return;
    this.#move('draining');
    // Behind the last connection: nothing more is sent to it.
    this.#term?.send({ type: 'drain', deadlineMs: this.#options.config.drainMs });
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

  /** A stop has limits of its own, which tell what was stuck. */
  #condemn(reason: string): void {
    if (this.#stopping) return;
    this.#log('error', {}, `worker is killed and replaced: ${reason}`);
    this.kill();
  }

  #exited(term: WorkerTerm, exit: Exit): void {
    const { cameUp, finished, pid, readyMs } = term;
    this.#lastWords = term.describe();
    this.#term = undefined;
    const told = term.end();
    if (told !== undefined) this.#options.onGone(told);
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
    this.#options.onTurn();
  }
}
