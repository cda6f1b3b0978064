/** One operating-system process of a worker: from fork to exit, with its messages, sockets and output. */
import { type ChildProcess, fork } from 'node:child_process';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
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
  /** Whether engine output is wanted in the log at all; it is read in any case. */
  readonly showNoise: boolean;
  readonly log: (level: LogLevel, fields: object, message: string) => void;
  readonly onMessage: (message: FromWorker) => void;
  /** Connections that were not handed over in the end; someone else must serve them. */
  readonly onReturned: (socket: Socket) => void;
  readonly onExit: (exit: Exit) => void;
}

/** Connections on their way to a worker; more means that it does not take them, and they go elsewhere. */
const mostInTransit = 1024;
const lastWordsBytes = 4096;

export class WorkerProcess {
  readonly #child: ChildProcess;
  readonly #options: WorkerProcessOptions;
  readonly #inTransit = new Set<Socket>();
  readonly #lastWords = createTail(lastWordsBytes);

  constructor(options: WorkerProcessOptions) {
    this.#options = options;
    // 1 and 2 belong to the engine; the worker's own log goes to 3, which is our stdout.
    this.#child = fork(options.program.file, [workerRole, `device=${options.device}`], {
      env: options.env,
      execArgv: [...options.program.execArgv],
      stdio: ['ignore', 'pipe', 'pipe', 1, 'ipc'],
    });
    this.#read(this.#child.stdout, 'stdout');
    this.#read(this.#child.stderr, 'stderr');
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

  /** Passes a paused connection on; false when this worker does not take any now. */
  handOver(socket: Socket): boolean {
    if (!this.#child.connected || this.#inTransit.size >= mostInTransit) return false;
    this.#inTransit.add(socket);
    const message: ToWorker = { type: 'connection' };
    this.#child.send(message, socket, undefined, (error) => {
      const mine = this.#inTransit.delete(socket);
      if (error !== null && mine) this.#giveBack(socket);
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
    } else {
      this.#options.onMessage(message);
    }
  }

  #read(stream: Readable | null, name: string): void {
    const { showNoise, log } = this.#options;
    const filter = createNoiseFilter({
      show: (line, repeats) =>
        log('debug', { stream: name, ...(repeats > 0 ? { repeats } : {}) }, line),
    });
    stream?.on('error', () => {
      // The other end is gone; its exit reports it.
    });
    stream?.on('data', (chunk: Buffer) => {
      if (showNoise) filter.push(chunk);
    });
  }

  /** `close` comes after the last output, but not while someone else holds the pipes; `exit` does. */
  #awaitExit(): void {
    let reported = false;
    const report = (code: number | null, signal: NodeJS.Signals | null) => {
      if (reported) return;
      reported = true;
      for (const socket of this.#inTransit) this.#giveBack(socket);
      this.#inTransit.clear();
      this.#options.onExit({ code, signal, lastWords: this.#lastWords.text() });
    };
    this.#child.once('close', report);
    this.#child.once('exit', (code, signal) => {
      setTimeout(() => report(code, signal), 100);
    });
    // A fork that failed has neither; it has no pid.
    if (this.#child.pid === undefined) setImmediate(() => report(null, null));
  }

  /** A socket whose handle has left (`pending`) is closed with the channel; nobody can serve it. */
  #giveBack(socket: Socket): void {
    if (!socket.pending && !socket.destroyed) this.#options.onReturned(socket);
  }
}
