/** One operating-system process of a worker: from fork to exit, with its messages, sockets and output. */
import { type ChildProcess, fork, type SendHandle } from 'node:child_process';
import type { Socket } from 'node:net';
import { closePassed, type Handle } from '../node-internals/connection-handle.ts';
import { createHandOver, type HandOver } from './hand-over.ts';
import { createTail, isKeylessWarning, withoutKeys } from './last-words.ts';
import type { LogLevel } from './log.ts';
import { createNoiseFilter, type NoiseFilter, noiseReportMs } from './noise.ts';
import { type FromWorker, parseFromWorker, type ToWorker, workerRole } from './protocol.ts';

/** What to run as a worker; tests put small programs here. */
export interface WorkerProgram {
  readonly file: string;
  readonly execArgv: readonly string[];
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The end of what it wrote to stderr; only what names no key, unless noise is wanted. */
  readonly lastWords: string;
}

export interface WorkerProcessOptions {
  readonly program: WorkerProgram;
  readonly device: number;
  readonly env: NodeJS.ProcessEnv;
  /** Whether what the engine prints is wanted in the log, until `showNoise` says otherwise; it is read in any case. */
  readonly showNoise: boolean;
  /** How long it may take to answer when it is given a connection. */
  readonly answerMs: number;
  readonly log: (level: LogLevel, fields: object, message: string) => void;
  readonly onMessage: (message: WorkerMessage) => void;
  /** It took a connection, so it may be given another. */
  readonly onTaken: () => void;
  /** Connections that the worker did not take; someone else must serve them. */
  readonly onReturned: (socket: Socket) => void;
  /** It answers no more, or again. */
  readonly onAnswering: () => void;
  readonly onExit: (exit: Exit) => void;
}

/** What a worker says that is not about the connections it is given. */
export type WorkerMessage = Exclude<FromWorker, { type: 'taken' | 'released' | 'echo' }>;

const lastWordsBytes = 4096;

export class WorkerProcess {
  readonly #child: ChildProcess;
  readonly #options: WorkerProcessOptions;
  readonly #handOver: HandOver;
  readonly #startedAt = performance.now();
  readonly #noise: NoiseFilter[] = [];
  #answers = true;
  #bareHandles = false;
  #noiseShown = false;
  #noiseFiltered = false;
  readonly #lastWords = createTail(lastWordsBytes);

  constructor(options: WorkerProcessOptions) {
    this.#options = options;
    // 1 and 2 belong to the engine; the worker's own log goes to 3, which is our stdout.
    this.#child = fork(options.program.file, [workerRole, `device=${options.device}`], {
      env: options.env,
      execArgv: [...options.program.execArgv],
      stdio: ['ignore', 'pipe', 'pipe', 1, 'ipc'],
    });
    this.#filter('stderr', 'warn', isKeylessWarning);
    this.showNoise(options.showNoise);
    this.#child.stdout?.resume();
    this.#child.stderr?.on('data', (chunk: Buffer) => this.#lastWords.push(chunk));
    this.#child.on('message', (value, passed) => {
      this.#receive(value, passed);
    });
    // Both a failed fork and a failed send end up here; the exit that follows tells the rest.
    this.#child.on('error', (error) =>
      options.log('warn', { err: error }, 'worker channel failed'),
    );
    this.#handOver = createHandOver({
      send: (message, passed, sent) => this.#sendNow(message, passed, sent),
      bareHandles: () => this.#bareHandles,
      answerMs: options.answerMs,
      onTaken: options.onTaken,
      onSilent: () => this.silent(),
      onReturned: options.onReturned,
    });
    this.#awaitExit();
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Milliseconds since it was started. */
  get uptimeMs(): number {
    return performance.now() - this.#startedAt;
  }

  /** False once it has left a connection unanswered, until it says anything. */
  get answers(): boolean {
    return this.#answers;
  }

  /** Whether a connection is under way to it. */
  get offering(): boolean {
    return this.#handOver.busy;
  }

  /** From now on; to take noise apart costs something, so that it begins when it is first wanted. */
  showNoise(shown: boolean): void {
    this.#noiseShown = shown;
    if (!shown || this.#noiseFiltered) return;
    this.#noiseFiltered = true;
    // The distributed engine names keys wherever it prints.
    this.#filter('stderr', 'debug', (line) => this.#noiseShown && !isKeylessWarning(line));
    this.#filter('stdout', 'debug', () => this.#noiseShown);
  }

  /** A drain waits until the connection that is under way has been decided on. */
  send(message: ToWorker): void {
    if (message.type === 'drain') this.#handOver.whenIdle(() => this.#sendNow(message));
    else this.#sendNow(message);
  }

  /** Passes a paused connection on; false when this worker does not take any now. */
  handOver(socket: Socket): boolean {
    return this.#child.connected && this.#answers && this.#handOver.offer(socket);
  }

  /** To be told that it has said nothing for too long; also known when it leaves a connection unanswered. */
  silent(): void {
    if (!this.#answers) return;
    this.#answers = false;
    const seconds = this.#options.answerMs / 1000;
    this.#options.log('warn', {}, `worker has not answered for ${seconds} s; it is passed over`);
    this.#options.onAnswering();
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  #sendNow(message: ToWorker, passed?: Handle | Socket, sent?: (left: boolean) => void): void {
    if (!this.#child.connected) {
      sent?.(false);
      return;
    }
    // Copies are closed by us alone (keepOpen): Node forgets one when the channel ends before its
    // receiver has acknowledged it, and its client would wait without an end.
    const options = { keepOpen: true };
    this.#child.send(message, passed as SendHandle | undefined, options, (error) => {
      // A send fails only because the worker is gone, which its exit reports.
      sent?.(error === null);
    });
  }

  #receive(value: unknown, passed: Handle | Socket | undefined): void {
    const message = parseFromWorker(value);
    if (message?.type === 'echo') {
      const close = (): void => {
        if (passed !== undefined) closePassed(passed);
      };
      if (this.#child.connected) this.#sendNow({ type: 'echoed' }, passed, close);
      else close();
      return;
    }
    if (passed !== undefined) closePassed(passed);
    if (message === undefined) {
      this.#options.log('warn', {}, 'worker sent a message that is none; dropped');
      return;
    }
    if (message.type === 'ready') this.#bareHandles = message.bareHandles;
    if (!this.#answers) this.#answersAgain();
    if (message.type === 'taken') this.#handOver.taken(message.id);
    else if (message.type !== 'released') this.#options.onMessage(message);
  }

  #answersAgain(): void {
    this.#answers = true;
    this.#options.log('info', {}, 'worker answers again');
    this.#options.onAnswering();
  }

  #filter(name: 'stdout' | 'stderr', level: LogLevel, concerns?: (line: string) => boolean): void {
    const filter = createNoiseFilter({
      show: (line, { repeats, others }) =>
        this.#options.log(
          level,
          {
            stream: name,
            ...(repeats > 0 ? { repeats } : {}),
            ...(others > 0 ? { leftOut: others } : {}),
          },
          line,
        ),
      ...(concerns === undefined ? {} : { concerns }),
    });
    const stream = this.#child[name];
    this.#noise.push(filter);
    stream?.on('data', (chunk: Buffer) => filter.push(chunk));
    stream?.on('error', () => {
      // The other end is gone; its exit reports it.
    });
  }

  /** `close` comes after the last output, but not while someone else holds the pipes; `exit` does. */
  #awaitExit(): void {
    const reports = setInterval(() => {
      for (const filter of this.#noise) filter.report();
    }, noiseReportMs).unref();
    let reported = false;
    const report = (code: number | null, signal: NodeJS.Signals | null) => {
      if (reported) return;
      reported = true;
      clearInterval(reports);
      for (const filter of this.#noise) filter.end();
      const { onExit } = this.#options;
      const words = this.#lastWords;
      const lastWords = this.#noiseShown ? words.text() : withoutKeys(words.lines());
      try {
        this.#handOver.end();
      } finally {
        // Whatever becomes of a connection: this is what its successor starts upon.
        onExit({ code, signal, lastWords });
      }
    };
    this.#child.once('close', report);
    this.#child.once('exit', (code, signal) => {
      setTimeout(() => report(code, signal), 100);
    });
    // A fork that failed has neither; it has no pid.
    if (this.#child.pid === undefined) setImmediate(() => report(null, null));
  }
}
