import type { SendHandle } from 'node:child_process';
import type { Socket } from 'node:net';
import type { PoolHistory } from '../messages/history.ts';
import type { FromWorker, MetricsText, ToWorker } from '../messages/protocol.ts';
import type { PoolReport } from '../messages/report.ts';
import { RpcClient } from '../messages/rpc-client.ts';
import type { LogLevelOutcome, LogLevelSetting } from '../messages/runtime-settings.ts';
import type { Handle } from '../node-internals/connection-handle.ts';

const responseMs = 5000;

type Response = Extract<ToWorker, { type: 'metrics' | 'surveyed' | 'logLevelSet' | 'reviewed' }>;

/** The worker's end of the channel to its supervisor. After the supervisor has ended, messages are dropped. */
export class SupervisorChannel {
  readonly #scrapes = new RpcClient<MetricsText>((id) => this.send({ type: 'scrape', id }));
  readonly #surveys = new RpcClient<PoolReport>((id) => this.send({ type: 'survey', id }));
  readonly #logLevels = new RpcClient<LogLevelOutcome, LogLevelSetting>((id, level) =>
    this.send({ type: 'setLogLevel', id, level }),
  );
  readonly #reviews = new RpcClient<PoolHistory>((id) => this.send({ type: 'review', id }));
  #onEchoed: (passed: Handle | Socket | undefined) => void = () => undefined;

  /** Metrics of all workers and the supervisor. Rejects without a response. */
  async metricsText(): Promise<MetricsText> {
    return (await this.#scrapes.call(responseMs)) ?? noResponse();
  }

  /** The supervisor's report on all workers. Rejects without a response. */
  async poolReport(): Promise<PoolReport> {
    return (await this.#surveys.call(responseMs)) ?? noResponse();
  }

  /** Sets the log level of all processes. Rejects without a response. */
  async setLogLevel(level: LogLevelSetting): Promise<LogLevelOutcome> {
    return (await this.#logLevels.call(responseMs, level)) ?? noResponse();
  }

  /** The last 15 minutes of the pool. Rejects without a response. */
  async poolHistory(): Promise<PoolHistory> {
    return (await this.#reviews.call(responseMs)) ?? noResponse();
  }

  /** Call this for each response of the supervisor to a call. */
  responded(message: Response): void {
    switch (message.type) {
      case 'metrics':
        this.#scrapes.responded(message.id, message);
        break;
      case 'surveyed':
        this.#surveys.responded(message.id, message.report);
        break;
      case 'logLevelSet':
        this.#logLevels.responded(message.id, message);
        break;
      case 'reviewed':
        this.#reviews.responded(message.id, message.history);
    }
  }

  /** `sent` is called once the message was sent, or at once without a supervisor. */
  send(message: FromWorker, sent: () => void = () => undefined): void {
    if (process.connected && process.send) process.send(message, undefined, undefined, sent);
    else sent();
  }

  /** Sends a handle to the supervisor and back; undefined when it was lost. One at a time. */
  echo(handle: Handle): Promise<Handle | Socket | undefined> {
    return new Promise((resolve) => {
      this.#onEchoed = resolve;
      if (!process.connected || process.send === undefined) resolve(undefined);
      else process.send({ type: 'echo' }, handle as SendHandle, { keepOpen: true });
    });
  }

  /** The supervisor has ended: calls fail at once. */
  end(): void {
    this.#scrapes.end();
    this.#surveys.end();
    this.#logLevels.end();
    this.#reviews.end();
  }

  /** Call this for each `echoed` of the supervisor. */
  echoed(passed: Handle | Socket | undefined): void {
    this.#onEchoed(passed);
  }
}

function noResponse(): never {
  throw new Error(`the supervisor did not respond within ${responseMs} ms, or has ended`);
}
