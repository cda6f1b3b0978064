/** One operating-system process of a worker: from fork to exit, with its messages, sockets and output. */
import { type ChildProcess, fork } from 'node:child_process';
import type { Socket } from 'node:net';
import type { LogLevel } from './log.ts';
import { createNoiseFilter, createTail } from './noise.ts';
import { type FromWorker, parseFromWorker, type ToWorker, workerRole } from './protocol.ts';

/** What to run as a worker; tests put small programs here. */
export interface WorkerProgram {
  readonly file: string;
  readonly execArgv: readonly string[];
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The end of what it wrote to stderr. */
  readonly lastWords: string;
}

export interface WorkerProcessOptions {
  readonly program: WorkerProgram;
  readonly device: number;
  readonly env: NodeJS.ProcessEnv;
  /** Whether what the engine prints is wanted in the log; it is read in any case. */
  readonly showNoise: boolean;
  readonly log: (level: LogLevel, fields: object, message: string) => void;
  readonly onMessage: (message: Exclude<FromWorker, { type: 'taken' }>) => void;
  /** It took a connection, so it may be given another. */
  readonly onTaken: () => void;
  /** Connections that the worker did not take; someone else must serve them. */
  readonly onReturned: (socket: Socket) => void;
  readonly onExit: (exit: Exit) => void;
}

/** Connections on their way to a worker: enough to keep it busy; the others can still go elsewhere. */
const mostInTransit = 64;
const lastWordsBytes = 4096;
/** Warnings of which we know that they name no key: the embedded engine's, Node's and the loader's. */
const keylessWarning = /^(?:memcache-embedded warning: |\(node:\d+\) |ERROR: ld\.so: )/;

export class WorkerProcess {
  readonly #child: ChildProcess;
  readonly #options: WorkerProcessOptions;
  readonly #inTransit = new Map<number, Socket>();
  #nextId = 1;
  readonly #lastWords = createTail(lastWordsBytes);

  constructor(options: WorkerProcessOptions) {
    this.#options = options;
    // 1 and 2 belong to the engine; the worker's own log goes to 3, which is our stdout.
    this.#child = fork(options.program.file, [workerRole, `device=${options.device}`], {
      env: options.env,
      execArgv: [...options.program.execArgv],
      stdio: ['ignore', 'pipe', 'pipe', 1, 'ipc'],
    });
    this.#filter('stderr', 'warn', (line) => keylessWarning.test(line));
    if (options.showNoise) {
      // The distributed engine names keys wherever it prints.
      this.#filter('stderr', 'debug', (line) => !keylessWarning.test(line));
      this.#filter('stdout', 'debug');
    }
    this.#child.stdout?.resume();
    this.#child.stderr?.on('data', (chunk: Buffer) => this.#lastWords.push(chunk));
    this.#child.on('message', (value) => this.#receive(value));
    // Both a failed fork and a failed send end up here; the exit that follows tells the rest.
    this.#child.on('error', (error) =>
      options.log('warn', { err: error }, 'worker channel failed'),
    );
    this.#awaitExit();
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  send(message: ToWorker): void {
    if (!this.#child.connected) return;
    this.#child.send(message, () => {
      // A send fails only because the worker is gone, which its exit reports.
    });
  }

  /**
   * Passes a paused connection on; false when this worker does not take any now. We keep it open
   * until the worker says `taken`: Node forgets, and leaks, a handle that is under way when its
   * channel ends, and so it can still be given to someone else.
   */
  handOver(socket: Socket): boolean {
    if (!this.#child.connected || this.#inTransit.size >= mostInTransit) return false;
    const id = this.#nextId;
    this.#nextId += 1;
    this.#inTransit.set(id, socket);
    const message: ToWorker = { type: 'connection', id };
    this.#child.send(message, socket, { keepOpen: true }, (error) => {
      if (error !== null) this.#giveBack(id);
    });
    return true;
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  #receive(value: unknown): void {
    const message = parseFromWorker(value);
    if (message === undefined) {
      this.#options.log('warn', {}, 'worker sent a message that is none; dropped');
    } else if (message.type === 'taken') {
      this.#taken(message.id);
    } else {
      this.#options.onMessage(message);
    }
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
    stream?.on('data', (chunk: Buffer) => filter.push(chunk));
    stream?.on('error', () => {
      // The other end is gone; its exit reports it.
    });
  }

  /** `close` comes after the last output, but not while someone else holds the pipes; `exit` does. */
  #awaitExit(): void {
    let reported = false;
    const report = (code: number | null, signal: NodeJS.Signals | null) => {
      if (reported) return;
      reported = true;
      for (const id of [...this.#inTransit.keys()]) this.#giveBack(id);
      this.#options.onExit({ code, signal, lastWords: this.#lastWords.text() });
    };
    this.#child.once('close', report);
    this.#child.once('exit', (code, signal) => {
      setTimeout(() => report(code, signal), 100);
    });
    // A fork that failed has neither; it has no pid.
    if (this.#child.pid === undefined) setImmediate(() => report(null, null));
  }

  #taken(id: number): void {
    this.#inTransit.get(id)?.destroy();
    this.#inTransit.delete(id);
    this.#options.onTaken();
  }

  #giveBack(id: number): void {
    const socket = this.#inTransit.get(id);
    this.#inTransit.delete(id);
    if (socket?.destroyed === false) this.#options.onReturned(socket);
  }
}
