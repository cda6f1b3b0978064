/** The meta service as a child: started, told to stop, killed when that is not enough, and its end. */
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
 * Starts the program with our environment, and with our output for its own. It has a process group of
 * its own: a terminal's Ctrl-C reaches us alone, and the service once, from us.
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

/** As a shell tells that a signal has ended a program. */
export function codeOfSignal(signal: NodeJS.Signals): number {
  return 128 + os.constants.signals[signal];
}

/** npm passes a Ctrl-C on that the terminal has sent already, timeout(1) signals twice: one wish, not two. */
const sameWishMs = 100;

export interface SignalPassing {
  /** The first that came, which stops. */
  readonly first: NodeJS.Signals | undefined;
  /** From now on to this service, with what came before there was one. */
  to(service: Pick<ServiceProcess, 'kill'>): void;
  /** Takes the handlers away. */
  forget(): void;
}

/** Takes signals from now on, to pass the first one on; the second one kills. */
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
    } else if (first.signal !== signal || now() - first.time > sameWishMs) {
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
