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
  if (typeof code === 'number') return code;
  return 128 + os.constants.signals[signal as NodeJS.Signals];
}

/** npm passes a Ctrl-C on that the terminal has sent already, timeout(1) signals twice: one wish, not two. */
const sameWishMs = 100;

/** Passes the first signal on; the second one kills. Returns what takes the handlers away. */
export function passSignalsOn(
  service: Pick<ServiceProcess, 'kill'>,
  onStopping: () => void,
  now = () => performance.now(),
): () => void {
  let first: { signal: NodeJS.Signals; time: number } | undefined;
  const handle = (signal: NodeJS.Signals) => {
    if (first === undefined) {
      first = { signal, time: now() };
      onStopping();
      // The service has no handler for a terminal that hangs up.
      service.kill(signal === 'SIGHUP' ? 'SIGTERM' : signal);
    } else if (first.signal !== signal || now() - first.time > sameWishMs) {
      service.kill('SIGKILL');
    }
  };
  const signals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, handle);
  return () => {
    for (const signal of signals) process.off(signal, handle);
  };
}
