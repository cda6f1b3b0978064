/** The settings that change while the gateway runs, from the files that it reads again. */
import type { Interpreted } from '../config/config.ts';
import type { SoundTokenFile } from '../config/files.ts';
import type { Sound } from '../config/reload.ts';
import type { PoolLog } from '../log/waiting-log.ts';
import type { RuntimeSettings } from '../messages/runtime-settings.ts';
import type { TokenFileNumbers } from '../supervisor/supervisor-options.ts';
import { createReload } from './reload.ts';
import { TokenFileWatch } from './token-file-watch.ts';

export interface RuntimeFilesOptions {
  readonly started: Sound;
  /** Interprets flags, environment and settings file again. */
  readonly reread: () => Promise<Interpreted>;
  /** The token file as it is at the start. */
  readonly tokenFile: SoundTokenFile | undefined;
  /** Gets all settings, whichever of them has changed. */
  readonly apply: (settings: RuntimeSettings) => void;
  readonly log: PoolLog;
}

export interface RuntimeFiles {
  /** As they are at the start. */
  readonly settings: RuntimeSettings;
  /** Reads the settings file and the token file again, those of them that are named. */
  readonly reloads: readonly (() => Promise<void>)[];
  readonly tokenFile: () => TokenFileNumbers | undefined;
}

export function followFiles(options: RuntimeFilesOptions): RuntimeFiles {
  const { started, reread, tokenFile, log } = options;
  const { layout, logLevel, settingsFile, tokenFile: file } = started.config;
  const settings: RuntimeSettings = { layout, logLevel, tokens: tokenFile?.tokens ?? null };
  let current = settings;
  const change = (part: Partial<RuntimeSettings>): void => {
    current = { ...current, ...part };
    options.apply(current);
  };
  const watch =
    file === undefined || tokenFile === undefined
      ? undefined
      : new TokenFileWatch({
          file,
          tokens: tokenFile.tokens,
          apply: (tokens) => change({ tokens }),
          log,
        });
  const reload = createReload({ started, reread, log, apply: change });
  return {
    settings,
    reloads: [
      ...(settingsFile === undefined ? [] : [reload]),
      ...(watch === undefined ? [] : [() => watch.reread()]),
    ],
    tokenFile: () => watch?.numbers,
  };
}
