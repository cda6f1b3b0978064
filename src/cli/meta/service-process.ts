/** The meta service as a child process: its start, its signals and its end. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import os from 'node:os';

export interface ServiceProcess {
  /** 0 when it could not be started. */
  readonly pid: number;
  /** Its exit code, or 128+n when signal n ended it. Rejects when it could not be started. */
  readonly ended: Promise<number>;
  kill(signal: NodeJS.Signals): void;
}

/**
 * Starts the program with the environment and the output of this command. It has a process group of
 * its own: a terminal's Ctrl-C reaches this command alone, which passes it on once.
 */
export function startService(file: string): ServiceProcess {
  const child = spawn(file, [], { stdio: ['ignore', 'inherit', 'inherit'], detached: true });
  return {
    pid: child.pid ?? 0,
    ended: once(child, 'exit').then(([code, signal]) => exitCode(code, signal)),
    kill: (signal) => void child.kill(signal),
  };
}

function exitCode(code: unknown, signal: unknown): number {
  return typeof code === 'number' ? code : codeOfSignal(signal as NodeJS.Signals);
}

/** The exit code by which a shell says that a signal has ended a program. */
export function codeOfSignal(signal: NodeJS.Signals): number {
  return 128 + os.constants.signals[signal];
}

/**
 * npm repeats a Ctrl-C that the terminal has already sent, and timeout(1) signals twice: both mean
 * one stop.
 */
const REPEATED_SIGNAL_MS = 100;

export interface SignalPassing {
  /** The first signal, which stops the service. */
  readonly first: NodeJS.Signals | undefined;
  /** Passes signals to this service from now on, also the one that arrived before it was started. */
  to(service: Pick<ServiceProcess, 'kill'>): void;
  /** Removes the handlers. */
  forget(): void;
}

/** Handles signals from now on: passes the first one on, and kills the service at the second one. */
export function passSignalsOn(
  onStopping: () => void,
  now = () => performance.now(),
): SignalPassing {
  let first: { signal: NodeJS.Signals; time: number } | undefined;
  let service: Pick<ServiceProcess, 'kill'> | undefined;
  const pass = (signal: NodeJS.Signals) => {
    // The service has no handler for a terminal that hangs up.
    service?.kill(signal === 'SIGHUP' ? 'SIGTERM' : signal);
  };
  const handle = (signal: NodeJS.Signals) => {
    if (first === undefined) {
      first = { signal, time: now() };
      onStopping();
      pass(signal);
    } else if (first.signal !== signal || now() - first.time > REPEATED_SIGNAL_MS) {
      service?.kill('SIGKILL');
    }
  };
  const signals = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'] as const;
  for (const signal of signals) process.on(signal, handle);
  return {
    get first() {
      return first?.signal;
    },
    to(started) {
      service = started;
      if (first !== undefined) pass(first.signal);
    },
    forget() {
      for (const signal of signals) process.off(signal, handle);
    },
  };
}
