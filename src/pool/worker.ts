/**
 * A worker's life as the supervisor sees it: started, ready, serving connections, drained, gone. The
 * engine and the HTTP side are behind `WorkerParts`.
 */
import type { SendHandle } from 'node:child_process';
import type { Socket } from 'node:net';
import { setTimeout as elapse, setImmediate as nextTurn } from 'node:timers/promises';
import type { Config } from '../config.ts';
import type { Reloadable } from '../config-reload.ts';
import { closePassed, type Handle } from '../node-internals/connection-handle.ts';
import { type CallHealth, startHeartbeat } from './heartbeat.ts';
import { createOfferedConnection } from './offered-connection.ts';
import {
  closeEngineMs,
  type DrainStage,
  type FromWorker,
  type MetricJson,
  type MetricsText,
  parseToWorker,
  type WorkerFacts,
} from './protocol.ts';
import { createQuestions } from './questions.ts';
import type { PoolReport } from './report.ts';

/** A gateway on an open engine. */
export interface RunningGateway {
  readonly facts: Omit<WorkerFacts, 'type'>;
  accept(socket: Socket): void;
  /** Lets requests in flight finish; false when some had not after `deadlineMs`. */
  drain(deadlineMs: number): Promise<boolean>;
  destroyAll(): void;
  remaining(): { requests: number; calls: number };
  health(): CallHealth;
  /** From now on it says that it is not ready, and serves all the same. */
  announceStop(): void;
  /** From now on requests are served and logged by these settings. */
  reconfigure(settings: Reloadable): void;
  collect(): Promise<MetricJson[]>;
  /** Uninitialises the engine; false when it had to be given up. */
  closeEngine(deadlineMs: number): Promise<boolean>;
}

export interface WorkerParts {
  open(start: {
    config: Config;
    device: number;
    version: string;
    /** Metrics of all workers and the supervisor. */
    metricsText: () => Promise<MetricsText>;
    /** What the supervisor says of all workers. */
    poolReport: () => Promise<PoolReport>;
    /** Sends a handle to the supervisor and back; undefined when it was lost. One at a time. */
    echo: (handle: Handle) => Promise<Handle | Socket | undefined>;
  }): Promise<RunningGateway>;
  /** Why `open` or anything later failed: for the operator; `permanent` when a restart cannot help. */
  explain(error: unknown): { message: string; permanent: boolean };
  /** Ends the process at once, with the log written but no exit handler run (engine.md §1). */
  exit(code: number): void;
}

const progressMs = 500;
const noCalls: CallHealth = { inFlight: 0, late: 0, stuck: false };

/** Takes over the process. Returns at once; the process ends through `parts.exit`. */
export function runWorker(parts: WorkerParts): void {
  const scrapes = createQuestions<MetricsText>((id) => send({ type: 'scrape', id }));
  const surveys = createQuestions<PoolReport>((id) => send({ type: 'survey', id }));
  let opening: Promise<RunningGateway | undefined> | undefined;
  let config: Config | undefined;
  let gateway: RunningGateway | undefined;
  let stopping = false;
  let unready = false;
  let reloaded: Reloadable | undefined;
  let stage: DrainStage = 'requests';
  const leave = new AbortController();
  const offered = createOfferedConnection(() => {
    const server = gateway;
    return server && ((socket) => server.accept(socket));
  });

  let onEchoed: (passed: Handle | Socket | undefined) => void = () => undefined;
  function echo(handle: Handle): Promise<Handle | Socket | undefined> {
    return new Promise((resolve) => {
      onEchoed = resolve;
      if (!process.connected || process.send === undefined) resolve(undefined);
      else process.send({ type: 'echo' }, handle as SendHandle, { keepOpen: true });
    });
  }

  function send(message: FromWorker, sent?: () => void): void {
    if (process.connected && process.send) {
      process.send(message, undefined, undefined, () => sent?.());
    } else {
      sent?.();
    }
  }

  /** Also for what nobody caught: a successor is a better answer than a worker that goes on. */
  function fail(error: unknown): void {
    send({ type: 'failed', ...parts.explain(error) }, () => parts.exit(1));
  }

  async function start(given: Config, device: number, version: string): Promise<void> {
    config = given;
    const promised = parts.open({
      config: given,
      device,
      version,
      metricsText: scrapes.ask,
      poolReport: surveys.ask,
      echo,
    });
    opening = promised;
    try {
      const opened = await promised;
      gateway = opened;
      if (unready) opened.announceStop();
      if (reloaded !== undefined) opened.reconfigure(reloaded);
      if (!stopping) send({ type: 'ready', ...opened.facts });
    } catch (error) {
      // Nothing was opened that a stop would have to wait for; `stop` then leaves.
      if (!stopping) fail(error);
    }
  }

  function report(): void {
    send({ type: 'draining', stage, ...(gateway?.remaining() ?? { requests: 0, calls: 0 }) });
  }

  /** The supervisor answers with `drain`, behind the last connection that it sends, unless it ends itself. */
  function askToDrain(): void {
    if (process.connected) send({ type: 'asked' });
    else void stop(drainMs());
  }

  /** Told to, or orphaned: finish, uninitialise, leave. */
  async function stop(deadlineMs: number): Promise<void> {
    if (stopping) return;
    stopping = true;
    report();
    const progress = setInterval(report, progressMs);
    // What the last connections have sent already is read first, so that it counts as in flight.
    await nextTurn();
    await nextTurn();
    const running = await opened(deadlineMs);
    if (running === undefined) {
      // Nobody has been served, so nothing is cut off.
      parts.exit(0);
      return;
    }
    const drained = await running.drain(deadlineMs);
    clearInterval(progress);
    report();
    if (!drained) running.destroyAll();
    // Requests that were cut off are what is to be told, whatever the engine does then.
    if (drained) {
      stage = 'engine';
      report();
      await leaveGiven();
    }
    const closed = await running.closeEngine(closeEngineMs);
    // An engine that is left without its leave has cut nobody off; a call that hangs is somebody's.
    const cutOff = !drained || (!closed && running.remaining().calls > 0);
    if (drained && cutOff) report();
    parts.exit(cutOff ? 1 : 0);
  }

  /**
   * What has been opened, if anything. An initialisation can't be interrupted, only waited for, and
   * without a meta service it lasts for a minute (engine.md §1): it is left behind at the deadline.
   */
  async function opened(deadlineMs: number): Promise<RunningGateway | undefined> {
    const patience = new AbortController();
    const { signal } = patience;
    const running = await Promise.race([
      opening?.catch(() => undefined),
      elapse(deadlineMs, undefined, { signal }),
    ]);
    patience.abort();
    return running;
  }

  /** Objects in this client's memory go with it, and others may still be serving them. */
  function leaveGiven(): Promise<void> {
    return new Promise((resolve) => {
      if (leave.signal.aborted || !process.connected) resolve();
      else leave.signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  async function collect(id: number): Promise<void> {
    const metrics = await gateway?.collect().catch(() => undefined);
    // Without an answer it is counted as it last told.
    if (metrics !== undefined) send({ type: 'collected', id, metrics });
  }

  function receive(value: unknown, passed: Handle | Socket | undefined): void {
    const message = parseToWorker(value);
    switch (message?.type) {
      case 'start':
        void start(message.config, message.device, message.version);
        break;
      case 'connection':
        offered.offer(message.id, passed);
        send({ type: 'taken', id: message.id });
        break;
      case 'yours':
        offered.take(message.id, passed);
        break;
      case 'returned':
        offered.forget();
        send({ type: 'released', id: message.id });
        break;
      case 'collect':
        void collect(message.id);
        break;
      case 'metrics':
        scrapes.answered(message.id, message);
        break;
      case 'surveyed':
        surveys.answered(message.id, message.report);
        break;
      case 'unready':
        unready = true;
        gateway?.announceStop();
        break;
      case 'reconfigure':
        reloaded = message;
        gateway?.reconfigure(message);
        break;
      case 'leave':
        leave.abort();
        break;
      case 'drain':
        void stop(message.deadlineMs);
        break;
      case 'echoed':
        onEchoed(passed);
        break;
      case undefined:
        if (passed !== undefined) closePassed(passed);
    }
  }

  const drainMs = () => config?.drainMs ?? 0;
  // The supervisor decides what a terminal's signals mean; a drain meant for this worker alone is SIGTERM.
  process.on('SIGINT', () => {});
  process.on('SIGHUP', () => {});
  process.on('SIGTERM', askToDrain);
  process.on('disconnect', () => {
    // Who would say whose it is, is gone.
    offered.forget();
    leave.abort();
    void stop(drainMs());
  });
  process.on('uncaughtException', fail);
  process.on('unhandledRejection', fail);
  startHeartbeat(send, () => gateway?.health() ?? noCalls);
  process.on('message', (value, handle) => {
    receive(value, handle);
  });
}
