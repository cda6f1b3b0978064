import type { Config, SettingName } from '../table.ts';

/** A rule between settings. It names the settings that it reads, first the one to blame. */
export interface Rule {
  readonly settings: readonly [SettingName, ...SettingName[]];
  /** The fault with advice, or undefined. */
  fault(config: Config): string | undefined;
}
