import tty from 'node:tty';
import type { PoolLog } from '../log/waiting-log.ts';
import type { Supervisor } from '../supervisor/supervisor.ts';
import { meaningOfHangup } from './reload.ts';

const stdout = 1;
/** npm repeats a Ctrl-C that the terminal has already sent, and timeout(1) signals twice: both mean one stop. */
const REPEATED_SIGNAL_MS = 100;

export interface SignalOptions {
  readonly supervisor: Pick<Supervisor, 'stop' | 'stopping' | 'kill'>;
  /** Each reads a file again; empty when no file is named. */
  readonly reloads: readonly (() => Promise<void>)[];
  readonly log: PoolLog;
}

/** SIGTERM and SIGINT stop the gateway, a second one kills it; SIGHUP reads the files again that are named. */
export function handleSignals({ supervisor, reloads, log }: SignalOptions): void {
  let last: { signal: NodeJS.Signals; time: number } | undefined;
  const stop = (signal: NodeJS.Signals): void => {
    const time = performance.now();
    const repeated = last?.signal === signal && time - last.time < REPEATED_SIGNAL_MS;
    last = { signal, time };
    if (repeated) return;
    if (supervisor.stopping) supervisor.kill(`a second signal, ${signal}`);
    else supervisor.stop(signal);
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  const startedOnTerminal = tty.isatty(stdout);
  process.on('SIGHUP', () => {
    const onTerminal = tty.isatty(stdout);
    const hasFiles = reloads.length > 0;
    const meaning = meaningOfHangup({ hasFiles, startedOnTerminal, onTerminal });
    if (meaning === 'stop') stop('SIGHUP');
    else if (meaning === 'reload') for (const reload of reloads) void reload();
    else
      log.warn(
        {},
        'SIGHUP: nothing to read again, since there is no --settings-file, --token-file or --tls-cert',
      );
  });
}
