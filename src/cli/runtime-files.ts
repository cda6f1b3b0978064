/** The settings that change while the gateway runs, from the files that it reads again. */

import type { Interpreted } from '../config/config.ts';
import type { SoundTokenFile } from '../config/files.ts';
import type { Sound } from '../config/reload.ts';
import { logLevels } from '../config/setting.ts';
import type { PoolLog } from '../log/waiting-log.ts';
import type {
  LogLevelOutcome,
  LogLevelSetting,
  RuntimeSettings,
} from '../messages/runtime-settings.ts';
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
  readonly apply: (settings: RuntimeSettings) => Promise<LogLevelOutcome>;
  readonly log: PoolLog;
}

export interface RuntimeFiles {
  /** As they are at the start. */
  readonly settings: RuntimeSettings;
  /** Reads the settings file and the token file again, those of them that are named. */
  readonly reloads: readonly (() => Promise<void>)[];
  readonly tokenFile: () => TokenFileNumbers | undefined;
  /** Changes the log level until the settings file is read again, or the program ends. */
  readonly setLogLevel: (level: LogLevelSetting) => Promise<LogLevelOutcome>;
}

export function followFiles(options: RuntimeFilesOptions): RuntimeFiles {
  const { started, reread, tokenFile, log } = options;
  const { layout, logLevel, settingsFile, tokenFile: file } = started.config;
  const settings: RuntimeSettings = { layout, logLevel, tokens: tokenFile?.tokens ?? null };
  let current = settings;
  const change = (part: Partial<RuntimeSettings>): Promise<LogLevelOutcome> => {
    current = { ...current, ...part };
    return options.apply(current);
  };
  const watch =
    file === undefined || tokenFile === undefined
      ? undefined
      : new TokenFileWatch({
          file,
          tokens: tokenFile.tokens,
          apply: (tokens) => void change({ tokens }),
          log,
        });
  const reload = createReload({
    ...{ started, reread, log },
    running: () => current,
    apply: (part) => void change(part),
  });
  return {
    settings,
    reloads: [
      ...(settingsFile === undefined ? [] : [reload]),
      ...(watch === undefined ? [] : [() => watch.reread()]),
    ],
    tokenFile: () => watch?.numbers,
    setLogLevel(level) {
      const { logLevel } = current;
      const tell = () => log.info({ from: logLevel, to: level }, 'a request has set the log level');
      // Logged at the more verbose of the two levels.
      const isQuieter = logLevels.indexOf(level) > logLevels.indexOf(logLevel);
      if (isQuieter) tell();
      const outcome = change({ logLevel: level });
      if (!isQuieter) tell();
      return outcome;
    },
  };
}
