/** SIGHUP: what it means, and the settings file read again. */
import type { Interpreted } from './config.ts';
import { changesOf, type Reloadable, type Sound } from './config-reload.ts';
import type { PoolLog } from './pool/log.ts';

export interface Circumstances {
  readonly settingsFile: string | undefined;
  /** Whether stdout was a terminal at the start. */
  readonly startedOnTerminal: boolean;
  /** Whether it is one now; one that was closed is none any more. */
  readonly onTerminal: boolean;
}

/**
 * Daemons re-read their configuration at SIGHUP; a terminal that closes sends it as well, and then
 * nobody would be there who could end a gateway that goes on.
 */
export function meaningOfHangup(circumstances: Circumstances): 'stop' | 'reload' | 'nothing' {
  const { settingsFile, startedOnTerminal, onTerminal } = circumstances;
  if (startedOnTerminal && (settingsFile === undefined || !onTerminal)) return 'stop';
  return settingsFile === undefined ? 'nothing' : 'reload';
}

export interface ReloadOptions {
  readonly started: Sound;
  /** Interprets flags, environment and file anew. */
  readonly reread: () => Promise<Interpreted>;
  readonly apply: (settings: Reloadable) => void;
  readonly log: PoolLog;
}

/** Gives a function that reads again; asked meanwhile, it does so once more, for the file has changed. */
export function createReload(options: ReloadOptions): () => Promise<void> {
  const { started, reread, apply, log } = options;
  let running: Reloadable = started.config;
  let asked = false;
  let working: Promise<void> | undefined;

  async function readAgain(): Promise<void> {
    const next = await reread();
    if ('faults' in next) {
      const { faults } = next;
      log.error({ faults }, 'the settings were read again and have faults; nothing is changed');
      return;
    }
    const { settings, applied, postponed, quieter } = changesOf(started, running, next);
    running = settings;
    const tell = () => {
      log.info({ applied }, 'the settings were read again');
      if (postponed.length > 0) {
        log.warn({}, `takes effect at the next start: ${postponed.join(', ')}`);
      }
    };
    // At that of the two levels that says more.
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
