/** One operating-system process of a worker: from fork to exit, with its messages, sockets and output. */
import { type ChildProcess, fork, type SendHandle } from 'node:child_process';
import type { Socket } from 'node:net';
import type { LogLevel } from '../../log/waiting-log.ts';
import { parseFromWorker, type ToWorker, workerRole } from '../../messages/protocol.ts';
import { closePassed, type Handle } from '../../node-internals/connection-handle.ts';
import { createOutputSampler, type OutputSampler, SAMPLE_REPORT_MS } from './output-sampler.ts';
import { SocketHandoff } from './socket-handoff.ts';
import { createTail, isKeylessWarning, withoutKeys } from './stderr-tail.ts';
import type { WorkerProcessOptions } from './worker-process-options.ts';

const stderrTailBytes = 4096;

export class WorkerProcess {
  readonly #child: ChildProcess;
  readonly #options: WorkerProcessOptions;
  readonly #handoff: SocketHandoff;
  readonly #startedAt = performance.now();
  readonly #output: OutputSampler[] = [];
  #responsive = true;
  #bareHandles = false;
  #outputShown = false;
  #outputFiltered = false;
  readonly #stderrTail = createTail(stderrTailBytes);

  constructor(options: WorkerProcessOptions) {
    this.#options = options;
    // 1 and 2 belong to the engine; the worker's own log goes to 3, which is the supervisor's
    // stdout; the listeners follow the channel (FIRST_LISTENER).
    this.#child = fork(options.program.file, [workerRole, `device=${options.device}`], {
      env: options.env,
      execArgv: [...options.program.execArgv],
      stdio: ['ignore', 'pipe', 'pipe', 1, 'ipc', ...options.listeners],
    });
    this.#filter('stderr', 'warn', isKeylessWarning);
    this.showOutput(options.showOutput);
    this.#child.stdout?.resume();
    this.#child.stderr?.on('data', (chunk: Buffer) => this.#stderrTail.push(chunk));
    this.#child.on('message', (value, passed) => {
      this.#receive(value, passed);
    });
    // A failed fork and a failed send both emit this event; the exit that follows is reported.
    this.#child.on('error', (error) =>
      options.log('warn', { err: error }, 'worker channel failed'),
    );
    this.#handoff = new SocketHandoff({
      send: (message, passed, sent) => this.#sendNow(message, passed, sent),
      bareHandles: () => this.#bareHandles,
      acceptMs: options.acceptMs,
      onAccepted: options.onAccepted,
      onSilent: () => this.silent(),
      onRevoked: options.onRevoked,
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

  /** False once it has not accepted an offered connection in time, until its next message. */
  get responsive(): boolean {
    return this.#responsive;
  }

  /** Whether a connection is being handed over to it. */
  get offering(): boolean {
    return this.#handoff.busy;
  }

  /**
   * The log gets the engine's output from now on. Splitting it into lines costs time, so it begins
   * on first use.
   */
  showOutput(shown: boolean): void {
    this.#outputShown = shown;
    if (!shown || this.#outputFiltered) return;
    this.#outputFiltered = true;
    // The distributed engine names keys wherever it prints.
    this.#filter('stderr', 'debug', (line) => this.#outputShown && !isKeylessWarning(line));
    this.#filter('stdout', 'debug', () => this.#outputShown);
  }

  /** A drain waits until the offered connection is accepted or revoked. */
  send(message: ToWorker): void {
    if (message.type === 'drain') this.#handoff.whenIdle(() => this.#sendNow(message));
    else this.#sendNow(message);
  }

  /** Passes a paused connection on; false when this worker does not take any now. */
  handoff(socket: Socket): boolean {
    return this.#child.connected && this.#responsive && this.#handoff.offer(socket);
  }

  /** The worker has sent nothing for too long, or not accepted a connection in time. */
  silent(): void {
    if (!this.#responsive) return;
    this.#responsive = false;
    const seconds = this.#options.acceptMs / 1000;
    this.#options.log(
      'warn',
      {},
      `worker has not responded for ${seconds} s; it gets no connections until it does`,
    );
    this.#options.onResponsive();
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  #sendNow(message: ToWorker, passed?: Handle | Socket, sent?: (left: boolean) => void): void {
    if (!this.#child.connected) {
      sent?.(false);
      return;
    }
    // The supervisor closes its copies itself (keepOpen): Node forgets a copy when the channel ends
    // before the worker has acknowledged it, and the client would wait without end.
    const options = { keepOpen: true };
    this.#child.send(message, passed as SendHandle | undefined, options, (error) => {
      // A send fails only when the worker has ended, which its exit reports.
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
      this.#options.log('warn', {}, 'worker sent an invalid message, which was dropped');
      return;
    }
    if (message.type === 'ready') this.#bareHandles = message.bareHandles;
    if (!this.#responsive) this.#respondsAgain();
    if (message.type === 'accept') this.#handoff.accept(message.id);
    else if (message.type !== 'released') this.#options.onMessage(message);
  }

  #respondsAgain(): void {
    this.#responsive = true;
    this.#options.log('info', {}, 'worker responds again');
    this.#options.onResponsive();
  }

  #filter(name: 'stdout' | 'stderr', level: LogLevel, concerns?: (line: string) => boolean): void {
    const filter = createOutputSampler({
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
    this.#output.push(filter);
    stream?.on('data', (chunk: Buffer) => filter.push(chunk));
    stream?.on('error', () => {
      // The worker has ended, which its exit reports.
    });
  }

  /**
   * `close` follows the last output, but is not emitted while another process holds the pipes; `exit`
   * always is.
   */
  #awaitExit(): void {
    const reports = setInterval(() => {
      for (const filter of this.#output) filter.report();
    }, SAMPLE_REPORT_MS).unref();
    let reported = false;
    const report = (code: number | null, signal: NodeJS.Signals | null) => {
      if (reported) return;
      reported = true;
      clearInterval(reports);
      for (const filter of this.#output) filter.end();
      const { onExit } = this.#options;
      const words = this.#stderrTail;
      const stderrTail = this.#outputShown ? words.text() : withoutKeys(words.lines());
      try {
        this.#handoff.end();
      } finally {
        // Call this whatever happens to a connection; otherwise no successor is started.
        onExit({ code, signal, stderrTail });
      }
    };
    this.#child.once('close', report);
    this.#child.once('exit', (code, signal) => {
      setTimeout(() => report(code, signal), 100);
    });
    // A fork that failed has no pid, and emits neither.
    if (this.#child.pid === undefined) setImmediate(() => report(null, null));
  }
}
