/**
 * Every setting, once: its flag and environment variable follow from its name (`arenaBytes` is
 * `--arena-bytes` and `GATEWAY_ARENA_BYTES`); the help, the documentation and the type of the
 * configuration follow from this table.
 */

import { bufferSettings, engineSettings } from './engine-settings.ts';
import { listeningSettings } from './listening-settings.ts';
import { processSettings } from './process-settings.ts';
import { requestSettings } from './request-settings.ts';
import type { Setting } from './setting.ts';

export const table = {
  ...listeningSettings,
  ...engineSettings,
  ...requestSettings,
  ...bufferSettings,
  ...processSettings,
} satisfies Record<string, Setting<unknown>>;

export type Table = typeof table;
export type SettingName = keyof Table;

/** The effective configuration: frozen, every member present. */
export type Config = {
  readonly [Name in SettingName]: Table[Name] extends Setting<infer T> ? T : never;
};

export const settingNames = Object.keys(table) as readonly SettingName[];

export function flagOf(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

export function variableOf(name: string): string {
  return `GATEWAY_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}
