/** The settings of a worker process, the events that it reports, and its exit. */
import type { Socket } from 'node:net';
import type { LogLevel } from '../../log/waiting-log.ts';
import type { FromWorker } from '../../messages/protocol.ts';

/** The program of a worker; tests put small programs here. */
export interface WorkerProgram {
  readonly file: string;
  readonly execArgv: readonly string[];
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The end of its stderr; only lines that name no key, unless the engine's output is logged. */
  readonly stderrTail: string;
}

export interface WorkerProcessOptions {
  readonly program: WorkerProgram;
  readonly device: number;
  readonly env: NodeJS.ProcessEnv;
  /** Descriptors of listening sockets, for the worker to inherit. */
  readonly listeners: readonly number[];
  /** Whether the log gets the engine's output, until `showOutput` is called; it is read in any case. */
  readonly showOutput: boolean;
  /** How long it may take to accept an offered connection. */
  readonly acceptMs: number;
  readonly log: (level: LogLevel, fields: object, message: string) => void;
  readonly onMessage: (message: WorkerMessage) => void;
  /** The worker has accepted a connection, so it may be offered another. */
  readonly onAccepted: () => void;
  /** A connection that the worker did not take: another worker must serve it. */
  readonly onRevoked: (socket: Socket) => void;
  /** The worker has stopped responding, or responds again. */
  readonly onResponsive: () => void;
  readonly onExit: (exit: Exit) => void;
}

/** The messages of a worker that do not concern its connections. */
export type WorkerMessage = Exclude<FromWorker, { type: 'accept' | 'released' | 'echo' }>;
