/** SIGHUP: its meaning, and the settings file that is read again (token-file-watch.ts: the token file). */
import type { Interpreted } from '../config/config.ts';
import { changesOf, type Reloadable, type Sound } from '../config/reload.ts';
import type { PoolLog } from '../log/waiting-log.ts';

export interface Circumstances {
  /** Whether there is a file to read again: the settings file or the token file. */
  readonly hasFiles: boolean;
  /** Whether stdout was a terminal at the start. */
  readonly startedOnTerminal: boolean;
  /** Whether stdout is a terminal now; a closed terminal does not count. */
  readonly onTerminal: boolean;
}

/**
 * Daemons re-read their configuration at SIGHUP. A terminal that closes sends it as well: a gateway
 * that kept running could not be stopped from a terminal.
 */
export function meaningOfHangup(circumstances: Circumstances): 'stop' | 'reload' | 'nothing' {
  const { hasFiles, startedOnTerminal, onTerminal } = circumstances;
  if (startedOnTerminal && (!hasFiles || !onTerminal)) return 'stop';
  return hasFiles ? 'reload' : 'nothing';
}

export interface ReloadOptions {
  readonly started: Sound;
  /** Interprets flags, environment and file again. */
  readonly reread: () => Promise<Interpreted>;
  /** The settings that the gateway has now; a request may have changed the log level. */
  readonly running: () => Reloadable;
  readonly apply: (settings: Reloadable) => void;
  readonly log: PoolLog;
}

/** Returns a function that reads the settings again; a call during a reading starts another one after it. */
export function createReload(options: ReloadOptions): () => Promise<void> {
  const { started, reread, running, apply, log } = options;
  let asked = false;
  let working: Promise<void> | undefined;

  async function readAgain(): Promise<void> {
    const next = await reread();
    if ('faults' in next) {
      const { faults } = next;
      log.error({ faults }, 'the settings were read again and have faults; nothing is changed');
      return;
    }
    const { settings, applied, postponed, quieter } = changesOf(started, running(), next);
    const tell = () => {
      log.info({ applied }, 'the settings were read again');
      if (postponed.length > 0) {
        log.warn({}, `takes effect at the next start: ${postponed.join(', ')}`);
      }
    };
    // Logged at the more verbose of the two levels.
    if (quieter) tell();
    if (applied.length > 0) apply(settings);
    if (!quieter) tell();
  }

  async function work(): Promise<void> {
    try {
      while (asked) {
        asked = false;
        await readAgain();
      }
    } finally {
      working = undefined;
    }
  }

  return () => {
    asked = true;
    working ??= work();
    return working;
  };
}
