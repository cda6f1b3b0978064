/** What of the configuration can change while the gateway runs, and what of a new one has. */
import { isDeepStrictEqual } from 'node:util';
import type { Config, Origins } from './config.ts';
import { flagOf, logLevels, type SettingName, settingNames } from './config-table.ts';

const reloadable = ['layout', 'logLevel'] as const;

/** What a running gateway can be given anew. */
export type Reloadable = Pick<Config, (typeof reloadable)[number]>;

/** A configuration without faults. */
export interface Sound {
  readonly config: Config;
  readonly origins: Origins;
}

export interface Changes {
  readonly settings: Reloadable;
  /** Flags of what `settings` changes. */
  readonly applied: readonly string[];
  /** Flags of what is otherwise than at the start, and stays as it was then. */
  readonly postponed: readonly string[];
  /** Whether less is logged than before. */
  readonly quieter: boolean;
}

/** `running` is what the gateway was last given, by its start or since. */
export function changesOf(started: Sound, running: Reloadable, next: Sound): Changes {
  const { layout, logLevel } = next.config;
  const settings: Reloadable = { layout, logLevel };
  const applied = reloadable.filter((name) => !isDeepStrictEqual(running[name], settings[name]));
  const postponed = settingNames.filter(
    (name) =>
      !isReloadable(name) &&
      // A default that follows another setting has not been changed by anyone.
      (started.origins.has(name) || next.origins.has(name)) &&
      !isDeepStrictEqual(started.config[name], next.config[name]),
  );
  const quieter = logLevels.indexOf(logLevel) > logLevels.indexOf(running.logLevel);
  return { settings, applied: applied.map(flagOf), postponed: postponed.map(flagOf), quieter };
}

function isReloadable(name: SettingName): boolean {
  const names: readonly SettingName[] = reloadable;
  return names.includes(name);
}
