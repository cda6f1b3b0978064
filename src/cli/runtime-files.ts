/** The settings that change while the gateway runs, from the files that it reads again. */

import type { Interpreted } from '../config/config.ts';
import { type SoundTokenFile, tlsPathsOf } from '../config/files.ts';
import type { Sound } from '../config/reload.ts';
import { logLevels } from '../config/setting.ts';
import type { PoolLog } from '../log/waiting-log.ts';
import type {
  LogLevelOutcome,
  LogLevelSetting,
  RuntimeSettings,
} from '../messages/runtime-settings.ts';
import type { TlsFilesNumbers, TokenFileNumbers } from '../supervisor/supervisor-options.ts';
import type { TlsMaterial } from '../tls/material.ts';
import type { SoundTlsFiles } from '../tls/tls-files.ts';
import { createReload } from './reload.ts';
import type { TlsFilesWatch } from './tls-files-watch.ts';
import { TokenFileWatch } from './token-file-watch.ts';

export interface RuntimeFilesOptions {
  readonly started: Sound;
  /** Interprets flags, environment and settings file again. */
  readonly reread: () => Promise<Interpreted>;
  /** The token file as it is at the start. */
  readonly tokenFile: SoundTokenFile | undefined;
  /** The files of TLS as they are at the start, and the watch for them, which is loaded only for TLS. */
  readonly tls?:
    | { readonly files: SoundTlsFiles; readonly TlsFilesWatch: typeof TlsFilesWatch }
    | undefined;
  /** Gets all settings, whichever of them has changed. */
  readonly apply: (settings: RuntimeSettings) => Promise<LogLevelOutcome>;
  readonly log: PoolLog;
}

export interface RuntimeFiles {
  /** As they are at the start. */
  readonly settings: RuntimeSettings;
  /** Each reads again what is named: the settings file, the token file, the files of TLS. */
  readonly reloads: readonly (() => Promise<void>)[];
  readonly tokenFile: () => TokenFileNumbers | undefined;
  /** Changes the log level until the settings file is read again, or the program ends. */
  readonly setLogLevel: (level: LogLevelSetting) => Promise<LogLevelOutcome>;
  readonly tlsFiles: () => TlsFilesNumbers | undefined;
}

export function followFiles(options: RuntimeFilesOptions): RuntimeFiles {
  const { started, reread, tokenFile, log } = options;
  const { layout, logLevel, settingsFile, tokenFile: file } = started.config;
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
  const certificates = watchTls(options, (tls) => void change({ tls }));
  const settings: RuntimeSettings = {
    layout,
    logLevel,
    tokens: tokenFile?.tokens ?? null,
    tls: certificates?.material ?? null,
  };
  let current = settings;
  const reload = createReload({
    ...{ started, reread, log },
    running: () => current,
    apply: (part) => void change(part),
  });
  return {
    settings,
    reloads: [
      ...(settingsFile === undefined ? [] : [reload]),
      ...[watch, certificates].flatMap((each) => (each === undefined ? [] : [() => each.reread()])),
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
    tlsFiles: () => certificates?.numbers,
  };
}

function watchTls(
  { started, tls, log }: RuntimeFilesOptions,
  apply: (material: TlsMaterial) => void,
): TlsFilesWatch | undefined {
  const paths = tlsPathsOf(started.config);
  if (tls === undefined || paths === undefined) return undefined;
  return new tls.TlsFilesWatch({ paths, files: tls.files, apply, log });
}
