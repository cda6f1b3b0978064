/** The settings that can change while the gateway runs, and their changes. */
import { isDeepStrictEqual } from 'node:util';
import type { Config, Origins } from './config.ts';
import { logLevels } from './setting.ts';
import { flagOf, type SettingName, settingNames } from './table.ts';

const reloadable = ['layout', 'logLevel'] as const;

/** The settings that a running gateway can change. */
export type Reloadable = Pick<Config, (typeof reloadable)[number]>;

/** A configuration without faults. */
export interface Sound {
  readonly config: Config;
  readonly origins: Origins;
}

export interface Changes {
  readonly settings: Reloadable;
  /** Flags of settings that have changed and apply at once. */
  readonly applied: readonly string[];
  /** Flags of settings that have changed since the start, and apply at the next start. */
  readonly postponed: readonly string[];
  /** Whether the log becomes less verbose. */
  readonly quieter: boolean;
}

/** `running` are the settings that the gateway has now. */
export function changesOf(started: Sound, running: Reloadable, next: Sound): Changes {
  const { layout, logLevel } = next.config;
  const settings: Reloadable = { layout, logLevel };
  const applied = reloadable.filter((name) => !isDeepStrictEqual(running[name], settings[name]));
  const postponed = settingNames.filter(
    (name) =>
      !isReloadable(name) &&
      // A default that follows another setting is no change of the operator's.
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
