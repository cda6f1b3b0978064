/**
 * Checks the engine's configuration file before the engine reads it. The engine reports a fault only as
 * −1, or crashes the process (docs/engine-facts.md §2), and never names the line.
 */

import { EngineFileError, judgeLines, readEngineFile, unsetError } from './engine-file.ts';
import { type Lines, type Report, readLines, type Warn } from './engine-file-lines.ts';
import { judgeNumbers, type Numbers } from './engine-file-values.ts';
import {
  aggregateKey,
  aggregateNumberKey,
  chunkCountKey,
  localKeys,
  readThreadsKey,
  retryKey,
  timeoutKey,
  worldSizeKey,
  writeThreadsKey,
} from './local-config-keys.ts';
import { judgeProtocol } from './local-config-protocol.ts';
import {
  formatSize,
  gibibyte,
  type MediumSizes,
  maxSizeKey,
  readMedium,
  readWorldSize,
  tebibyte,
} from './local-config-sizes.ts';

/**
 * The space from the engine's fixed address, 0x280000000000, to 0x555555554000, the lowest address at
 * which Linux on x86-64 places programs; in whole TiB.
 */
const maxReserveBytes = 45 * tebibyte;

export interface LocalConfig {
  readonly path: string;
  readonly worldSize: number;
  /** The most DRAM and HBM that one client may contribute. */
  readonly dramBytes: number;
  readonly hbmBytes: number;
  /** Address space that init maps: worldSize × (dramBytes + hbmBytes). */
  readonly reserveBytes: number;
  /** Lines that are probably mistakes; none is known to stop every version. */
  readonly warnings: readonly string[];
}

const variable = 'MMC_LOCAL_CONFIG_PATH';

/** Value instead of a path, for a library with the engine's ABI that reads no file. */
const NO_FILE = 'none';

/**
 * Reads and checks the file that `MMC_LOCAL_CONFIG_PATH` names, for a gateway with this number of
 * clients in the pool (one for each device); undefined if the variable is `none`.
 * @throws EngineFileError with every fault found.
 */
export function readLocalConfig(path: string | undefined, clients = 1): LocalConfig | undefined {
  if (path === NO_FILE) return undefined;
  if (path === undefined || path === '') {
    throw unsetError(
      variable,
      'the file that the engine reads its configuration from',
      `set ${variable}=/path/to/mmc-local.conf; or to none, for a library that reads no file`,
    );
  }
  return parseLocalConfig(path, readEngineFile(variable, path), clients);
}

/** Like `readLocalConfig`, for a given text; `path` is for messages. */
export function parseLocalConfig(path: string, text: string, clients = 1): LocalConfig {
  const { value, warnings } = judgeLines(path, text, localKeys, (lines, report, warn) =>
    judge(lines, clients, report, warn),
  );
  return { path, ...value, warnings };
}

/**
 * The lines of the file whose keys some versions do not know, each with the first version that does; for
 * an engine that fails to initialise without a reason. Empty if the file cannot be read.
 */
export function newerKeyLines(path: string | undefined): readonly string[] {
  if (path === undefined || path === '' || path === NO_FILE) return [];
  try {
    const ignore = (): void => undefined;
    const lines = readLines(readEngineFile(variable, path), localKeys, ignore, ignore);
    return [...lines].flatMap(([key, { number }]) => {
      const since = localKeys.since.get(key);
      const early = localKeys.withdrawn?.has(key) === true;
      if (since === '1.0' || (since === undefined && !early)) return [];
      const known = early ? 'early builds of 1.1 only' : `version ${since} and newer`;
      return [`${path}:${number}: ${key} (${known})`];
    });
  } catch (error) {
    if (error instanceof EngineFileError) return [];
    throw error;
  }
}

type Sizes = Omit<LocalConfig, 'path' | 'warnings'>;

/** Sizes with a reported fault count as 0. */
function judge(lines: Lines, clients: number, report: Report, warn: Warn): Sizes {
  const aggregate = lines.get(aggregateKey);
  if (aggregate?.value === 'true') {
    const hint = 'while this is on, reads of version 1.0.x may succeed without copying data';
    warn(aggregate, `${hint}: ${aggregateKey} = false`);
  }
  const worldSize = readWorldSize(lines, clients, report);
  const dram = readMedium('dram', lines, report, warn);
  const hbm = readMedium('hbm', lines, report, warn);
  judgeProtocol(lines, dram, hbm, report, warn);
  judgeNumbers(lines, numbers, report);
  if (worldSize && dram && hbm) checkReservable(worldSize, dram, hbm, lines, report);
  const dramBytes = dram?.maxBytes ?? 0;
  const hbmBytes = hbm?.maxBytes ?? 0;
  const reserveBytes = (worldSize ?? 0) * (dramBytes + hbmBytes);
  return { worldSize: worldSize ?? 0, dramBytes, hbmBytes, reserveBytes };
}

/** The ranges that are valid in all versions. */
const numbers: Numbers = {
  [retryKey]: [0, 600_000, 0],
  [timeoutKey]: [1, 600, 60],
  [readThreadsKey]: [1, 64, 4],
  [writeThreadsKey]: [1, 64, 4],
  [aggregateNumberKey]: [1, 131_072, 122],
  [chunkCountKey]: [1, 64, 3],
};

function checkReservable(
  worldSize: number,
  dram: MediumSizes,
  hbm: MediumSizes,
  lines: Lines,
  report: Report,
): void {
  const memberBytes = dram.maxBytes + hbm.maxBytes;
  if (worldSize * memberBytes <= maxReserveBytes) return;
  const total = ((worldSize * memberBytes) / tebibyte).toFixed(1);
  const problem = `${worldSize} clients × ${formatSize(memberBytes)} need ${total} TiB of address space, and 45 TiB are available`;
  const line = lines.get(maxSizeKey('dram'));
  const room = Math.floor((maxReserveBytes / worldSize - hbm.maxBytes) / gibibyte) * gibibyte;
  if (line && room > 0 && room >= dram.ownBytes) {
    report(line, problem, `${maxSizeKey('dram')} = ${formatSize(room)}`);
  } else {
    const fitting = Math.floor(maxReserveBytes / memberBytes);
    report(lines.get(worldSizeKey), problem, `${worldSizeKey} = ${fitting}`);
  }
}
