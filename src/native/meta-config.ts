/**
 * Checks the meta service's configuration file before the service sees it. What it takes is in the
 * engine's public configuration reference; what differs between versions is not judged.
 */
import { judgeLines, readEngineFile, unsetError } from './engine-file.ts';
import { type Lines, notA, type Report, type Warn } from './engine-file-lines.ts';
import { readMetaAddresses } from './meta-config-addresses.ts';
import { evictHighKey, evictLowKey, metaKeys } from './meta-config-keys.ts';

export interface MetaConfig {
  readonly path: string;
  /** Where the clients of the pool find the service: tcp://host:port. */
  readonly serviceUrl: string;
  /** Its `/health` as this machine reaches it (engine.md §5); http or, in newer versions, https. */
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

/** As `readMetaConfig`, for a text that is already read; `path` is for messages. */
export function parseMetaConfig(path: string, text: string): MetaConfig {
  const { value, warnings } = judgeLines(path, text, metaKeys, (lines, report, warn) => {
    judgeWords(lines, report);
    judgeNumbers(lines, report);
    warnOfThresholds(lines, warn);
    return readMetaAddresses(lines, report);
  });
  return { path, ...value, warnings };
}

const yesOrNo = ['true', 'false', '1', '0'];

const words: Readonly<Record<string, readonly string[]>> = {
  'ock.mmc.log_level': ['info', 'debug', 'warn', 'error'],
  'ock.mmc.meta.ha.enable': ['false', 'true', '0', '1'],
  'ock.mmc.tls.enable': yesOrNo,
  'ock.mmc.config_store.tls.enable': yesOrNo,
};

function judgeWords(lines: Lines, report: Report): void {
  for (const [key, taken] of Object.entries(words)) {
    const line = lines.get(key);
    if (line === undefined || taken.includes(line.value)) continue;
    const meant = taken.find((word) => word === line.value.toLowerCase()) ?? taken[0];
    report(line, notA(`word out of ${taken.join(', ')}`, line.value), `${key} = ${meant}`);
  }
}

/** The ranges that all versions have in common, and what is meant when it is absent. */
const numbers: Readonly<Record<string, readonly [least: number, most: number, usual: number]>> = {
  [evictHighKey]: [1, 100, 90],
  [evictLowKey]: [0, 99, 80],
  'ock.mmc.log_rotation_file_size': [1, 500, 20],
  'ock.mmc.log_rotation_file_count': [1, 50, 50],
};

function judgeNumbers(lines: Lines, report: Report): void {
  for (const [key, [least, most, usual]] of Object.entries(numbers)) {
    const line = lines.get(key);
    if (line === undefined) continue;
    const value = Number(line.value);
    if (!/^\d+$/.test(line.value)) {
      report(line, notA(`whole number of ${least} to ${most}`, line.value), `${key} = ${usual}`);
    } else if (value < least || value > most) {
      const nearest = Math.min(Math.max(value, least), most);
      report(line, `it must be ${least} to ${most}`, `${key} = ${nearest}`);
    }
  }
}

/** Eviction begins above the one and ends at the other. */
function warnOfThresholds(lines: Lines, warn: Warn): void {
  const high = lines.get(evictHighKey);
  const low = lines.get(evictLowKey);
  if (high === undefined || low === undefined || Number(low.value) < Number(high.value)) return;
  warn(low, `${evictLowKey} is not below ${evictHighKey} (${high.value}), so nothing is evicted`);
}
