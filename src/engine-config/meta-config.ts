/**
 * Checks the meta service's configuration file before the service reads it. The engine's public
 * configuration reference defines the accepted values; values that differ between versions are not
 * checked.
 */
import { judgeLines, readEngineFile, unsetError } from './engine-file.ts';
import type { Lines, Warn } from './engine-file-lines.ts';
import {
  judgeNumbers,
  judgeWords,
  type Numbers,
  type Words,
  yesOrNo,
} from './engine-file-values.ts';
import { readMetaAddresses } from './meta-config-addresses.ts';
import { evictHighKey, evictLowKey, leaseKey, metaKeys } from './meta-config-keys.ts';
import { DEFAULT_LEASE_MS } from './meta-settings.ts';

export interface MetaConfig {
  readonly path: string;
  /** Where the clients of the pool reach the service: tcp://host:port. */
  readonly serviceUrl: string;
  /**
   * The URL of its `/health` on this machine (docs/engine-facts.md §11); http, or https in newer versions.
   */
  readonly healthUrl: string;
  readonly warnings: readonly string[];
}

const variable = 'MMC_META_CONFIG_PATH';

/**
 * Reads and checks the file that `MMC_META_CONFIG_PATH` names.
 * @throws EngineFileError with every fault found.
 */
export function readMetaConfig(path: string | undefined): MetaConfig {
  if (path === undefined || path === '') {
    throw unsetError(
      variable,
      'the file that the meta service reads its configuration from',
      `set ${variable}=/path/to/mmc-meta.conf`,
    );
  }
  return parseMetaConfig(path, readEngineFile(variable, path));
}

/** Like `readMetaConfig`, for a given text; `path` is for messages. */
export function parseMetaConfig(path: string, text: string): MetaConfig {
  const { value, warnings } = judgeLines(path, text, metaKeys, (lines, report, warn) => {
    judgeWords(lines, words, report);
    judgeNumbers(lines, numbers, report);
    warnOfThresholds(lines, warn);
    return readMetaAddresses(lines, report);
  });
  return { path, ...value, warnings };
}

const words: Words = {
  'ock.mmc.log_level': ['info', 'debug', 'warn', 'error'],
  'ock.mmc.meta.ha.enable': ['false', 'true', '0', '1'],
  'ock.mmc.tls.enable': yesOrNo,
  'ock.mmc.config_store.tls.enable': yesOrNo,
};

/** The ranges that are valid in all versions. */
const numbers: Numbers = {
  [evictHighKey]: [1, 100, 90],
  [evictLowKey]: [0, 99, 80],
  'ock.mmc.log_rotation_file_size': [1, 500, 20],
  'ock.mmc.log_rotation_file_count': [1, 50, 50],
  [leaseKey]: [1, 3_600_000, DEFAULT_LEASE_MS],
};

/** Eviction starts above the high threshold and stops at the low one. */
function warnOfThresholds(lines: Lines, warn: Warn): void {
  const high = lines.get(evictHighKey);
  const low = lines.get(evictLowKey);
  if (high === undefined || low === undefined || Number(low.value) < Number(high.value)) return;
  warn(low, `${evictLowKey} is not below ${evictHighKey} (${high.value}), so nothing is evicted`);
}
