import type { Log, LoggerOptions } from './logger.ts';
import { createWaitingLog, type PoolLog, silentLog } from './waiting-log.ts';

/**
 * The log of a process that starts before pino is loaded. Lines, and a change of the level, wait until it
 * is open. After `close` lines are dropped, since connections may outlive the log by a moment.
 */
export class LateLog {
  readonly #waiting = createWaitingLog();
  #opening: Promise<Log> | undefined;
  #log: Log | undefined;
  #level: string | undefined;

  /** Takes lines at any time. */
  get lines(): PoolLog {
    return this.#waiting.log;
  }

  /** Loads pino, and writes the lines that wait. */
  async open(options: LoggerOptions): Promise<void> {
    this.#opening = import('./logger.ts').then(({ createLog }) => createLog(options));
    this.#log = await this.#opening;
    if (this.#level !== undefined) this.#log.logger.level = this.#level;
    this.#waiting.attach(this.#log.logger);
  }

  setLevel(level: string): void {
    this.#level = level;
    if (this.#log !== undefined) this.#log.logger.level = level;
  }

  /** Writes a line as it is, whatever the level, once the log is open. */
  print(line: string): void {
    void this.#opening?.then((log) => log.print(line));
  }

  async close(): Promise<void> {
    const log = await this.#opening;
    this.#waiting.attach(silentLog);
    await log?.close();
  }
}
