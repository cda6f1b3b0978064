/**
 * Checks the engine's configuration file before the engine sees it. The engine answers a fault in it
 * with a bare −1, or with a crash of the process (engine.md §1), and says nowhere which line it was.
 */
import { readFileSync, statSync } from 'node:fs';
import { worldSizeKey } from './local-config-keys.ts';
import { type Lines, type Report, readLines, type Warn } from './local-config-lines.ts';
import {
  formatSize,
  gibibyte,
  type MediumSizes,
  maxSizeKey,
  mebibyte,
  readMedium,
  readWorldSize,
  sizeKey,
  tebibyte,
} from './local-config-sizes.ts';

const maxFileBytes = 10 * mebibyte;

/**
 * The room from the engine's fixed address, 0x280000000000, to 0x555555554000, the lowest one at which
 * Linux on x86-64 places programs; in whole TiB.
 */
const maxReserveBytes = 45 * tebibyte;

export interface LocalConfig {
  readonly path: string;
  readonly worldSize: number;
  /** The most DRAM, and HBM, that one client may contribute. */
  readonly dramBytes: number;
  readonly hbmBytes: number;
  /** Address space that init maps: worldSize × (dramBytes + hbmBytes). */
  readonly reserveBytes: number;
  /** Lines that are probably not what was meant; none is known to stop every version. */
  readonly warnings: readonly string[];
}

export interface LocalConfigFault {
  readonly file: string;
  /** 1 for the first line; 0 when no line is to blame. */
  readonly line: number;
  /** The line as it stands. */
  readonly text: string;
  readonly problem: string;
  /** The line as it should be; without a line, what to do. */
  readonly change: string;
}

/** Every fault of the file at once, each with the line to change. */
export class LocalConfigError extends Error {
  readonly faults: readonly LocalConfigFault[];

  constructor(faults: readonly LocalConfigFault[]) {
    super(faults.map(describe).join('\n'));
    this.name = 'LocalConfigError';
    this.faults = faults;
  }
}

function describe({ file, line, text, problem, change }: LocalConfigFault): string {
  if (line === 0) return `${file}: ${problem}\n  ${change}`;
  return `${file}:${line}: ${problem}\n  line:      ${text}\n  change to: ${change}`;
}

/** Instead of a path, for a library with the engine's ABI that reads no file. */
const NO_FILE = 'none';

/**
 * Reads and checks the file that `MMC_LOCAL_CONFIG_PATH` names; undefined when it says `none`.
 * @throws LocalConfigError with every fault found.
 */
export function readLocalConfig(path: string | undefined): LocalConfig | undefined {
  if (path === NO_FILE) return undefined;
  if (path === undefined || path === '') {
    throw fileError(
      'MMC_LOCAL_CONFIG_PATH',
      'is not set, and names the file that the engine reads its configuration from',
      'set MMC_LOCAL_CONFIG_PATH=/path/to/mmc-local.conf; or to none, for a library that reads no file',
    );
  }
  return parseLocalConfig(path, readText(path));
}

function fileError(file: string, problem: string, change: string): LocalConfigError {
  return new LocalConfigError([{ file, line: 0, text: '', problem, change }]);
}

const readErrors: Readonly<Record<string, readonly [problem: string, change: string]>> = {
  ENOENT: ['does not exist', 'create it, or correct MMC_LOCAL_CONFIG_PATH'],
  ENOTDIR: ['does not exist', 'create it, or correct MMC_LOCAL_CONFIG_PATH'],
  EACCES: ['may not be read by this user', 'chmod a+r on the file, a+x on its folders'],
};

function readText(path: string): string {
  try {
    const { size } = statRegular(path);
    if (size > maxFileBytes) throw fileError(path, 'is longer than 10 MiB', 'shorten it');
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof LocalConfigError) throw error;
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw fileError(path, ...(readErrors[code] ?? [`cannot be read: ${code}`, 'see to the file']));
  }
}

/** A pipe or a device would be waited for, or read without an end. */
function statRegular(path: string): { size: number } {
  const stats = statSync(path);
  if (stats.isFile()) return stats;
  const kind = stats.isDirectory() ? 'a directory' : 'not a regular file';
  throw fileError(path, `is ${kind}`, 'let MMC_LOCAL_CONFIG_PATH name the file itself');
}

/** As `readLocalConfig`, for a text that is already read; `path` is for messages. */
export function parseLocalConfig(path: string, text: string): LocalConfig {
  const faults: LocalConfigFault[] = [];
  const warnings: string[] = [];
  const report: Report = (line, problem, change) =>
    faults.push(
      line === undefined
        ? { file: path, line: 0, text: '', problem, change: `add the line: ${change}` }
        : { file: path, line: line.number, text: line.text, problem, change },
    );
  const warn: Warn = (line, hint) => warnings.push(`${path}:${line.number}: ${hint}`);
  const lines = readLines(text, report, warn);

  const worldSize = readWorldSize(lines, report);
  const dram = readMedium('dram', lines, report, warn);
  const hbm = readMedium('hbm', lines, report, warn);
  if (dram?.ownBytes === 0 && hbm?.ownBytes === 0) {
    const problem = 'DRAM and HBM may not both be 0: a client contributes memory';
    report(lines.get(sizeKey('dram')), problem, `${sizeKey('dram')} = 1GB`);
  }
  if (worldSize && dram && hbm) checkReservable(worldSize, dram, hbm, lines, report);
  if (faults.length > 0 || !worldSize || !dram || !hbm) {
    throw new LocalConfigError(faults.sort((a, b) => a.line - b.line));
  }
  const reserveBytes = worldSize * (dram.maxBytes + hbm.maxBytes);
  return {
    path,
    worldSize,
    dramBytes: dram.maxBytes,
    hbmBytes: hbm.maxBytes,
    reserveBytes,
    warnings,
  };
}

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
  const problem = `${worldSize} clients × ${formatSize(memberBytes)} are ${total} TiB of address space, of which there are 45`;
  const line = lines.get(maxSizeKey('dram'));
  const room = Math.floor((maxReserveBytes / worldSize - hbm.maxBytes) / gibibyte) * gibibyte;
  if (line && room > 0 && room >= dram.ownBytes) {
    report(line, problem, `${maxSizeKey('dram')} = ${formatSize(room)}`);
  } else {
    const fitting = Math.floor(maxReserveBytes / memberBytes);
    report(lines.get(worldSizeKey), problem, `${worldSizeKey} = ${fitting}`);
  }
}
