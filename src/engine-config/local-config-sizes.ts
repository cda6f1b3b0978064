/** The numbers in the engine's configuration file: world_size, and the sizes of DRAM and HBM. */
import { type Line, type Lines, notA, type Report, type Warn } from './engine-file-lines.ts';
import { protocolKey, worldSizeKey } from './local-config-keys.ts';

export const mebibyte = 2 ** 20;
export const gibibyte = 2 ** 30;
export const tebibyte = 2 ** 40;

const defaultWorldSize = 256;
const maxWorldSize = 1024;
const maxSizeBytes = tebibyte;

/**
 * `world_size`, 256 if absent (docs/engine-facts.md §2); undefined if a fault was reported. `clients` of
 * the pool belong to this gateway, so there must be at least as many places; other clients need more.
 */
export function readWorldSize(lines: Lines, clients: number, report: Report): number | undefined {
  const line = lines.get(worldSizeKey);
  const size = line === undefined ? defaultWorldSize : Number(line.value);
  const least = Math.max(2, clients);
  const change = (value: number) => `${worldSizeKey} = ${value}`;
  if (line !== undefined && !/^\d+$/.test(line.value)) {
    report(line, notA('whole number', line.value), change(Math.max(defaultWorldSize, clients)));
  } else if (size < 2) {
    report(line, 'the engine crashes with a world_size below 2', change(least));
  } else if (size < clients) {
    const problem = `a world_size of ${size} is too small for the ${clients} clients of this gateway, one for each device`;
    report(line, problem, change(least));
  } else if (size > maxWorldSize) {
    report(line, `the engine allows a world_size of at most ${maxWorldSize}`, change(maxWorldSize));
  } else {
    return size;
  }
  return undefined;
}

export type Medium = 'dram' | 'hbm';

/** The engine's defaults for an absent key, in bytes: contribution of a client, and maximum. */
const assumed: Readonly<Record<Medium, readonly [own: number, most: number]>> = {
  dram: [128 * mebibyte, 64 * gibibyte],
  hbm: [0, 0],
};

export function sizeKey(medium: Medium): string {
  return `ock.mmc.local_service.${medium}.size`;
}

export function maxSizeKey(medium: Medium): string {
  return `ock.mmc.local_service.max.${medium}.size`;
}

export interface MediumSizes {
  /** The contribution of this client, and the maximum of any client; aligned like the engine does. */
  readonly ownBytes: number;
  readonly maxBytes: number;
}

/** Both sizes of a medium; undefined if a fault was reported. */
export function readMedium(
  medium: Medium,
  lines: Lines,
  report: Report,
  warn: Warn,
): MediumSizes | undefined {
  const line = lines.get(sizeKey(medium));
  const maxLine = lines.get(maxSizeKey(medium));
  const [assumedOwn, assumedMost] = assumed[medium];
  const own = line ? readSize(sizeKey(medium), line, report) : assumedOwn;
  const most = maxLine ? readSize(maxSizeKey(medium), maxLine, report) : assumedMost;
  if (own === undefined || most === undefined) return undefined;
  const ownBytes = align(own, lines);
  const maxBytes = align(most, lines);
  const enough = `${maxSizeKey(medium)} = ${formatSize(ownBytes)}`;
  if (ownBytes > maxBytes && maxLine) {
    report(maxLine, `smaller than ${sizeKey(medium)} (${formatSize(ownBytes)})`, enough);
  } else if (ownBytes > maxBytes && line) {
    warn(
      line,
      `from version 1.1 on this needs one more line, which 1.0.x does not know: ${enough}`,
    );
  }
  return { ownBytes, maxBytes: Math.max(ownBytes, maxBytes) };
}

function align(bytes: number, lines: Lines): number {
  const unit = lines.get(protocolKey)?.value.startsWith('device_') ? gibibyte : 2 * mebibyte;
  return Math.ceil(bytes / unit) * unit;
}

const units: Readonly<Record<string, number>> = {
  k: 1024,
  m: mebibyte,
  g: gibibyte,
  t: tebibyte,
};

const sizePattern = /^(\d+(?:\.\d+)?)(?:([kmgt])b?)?$/i;

/** 134217728, 2048KB, 200mb, 2.5G, 1TB: powers of 1024, any case, no blank before the unit. */
function readSize(key: string, line: Line, report: Report): number | undefined {
  const match = sizePattern.exec(line.value);
  if (match === null) {
    report(line, notA('size such as 64GB or 1024MB', line.value), `${key} = ${guess(line.value)}`);
    return undefined;
  }
  const bytes = Math.floor(Number(match[1]) * (units[(match[2] ?? '').toLowerCase()] ?? 1));
  if (bytes <= maxSizeBytes) return bytes;
  report(line, 'the engine allows at most 1TB', `${key} = 1TB`);
  return undefined;
}

/** The most likely meaning of a text such as `64 GiB # of 512`, or an example. */
function guess(value: string): string {
  const likely = value.replace(/#.*/, '').replace(/\s+|i(?=b)/gi, '');
  return sizePattern.test(likely) ? likely : '1GB';
}

export function formatSize(bytes: number): string {
  return bytes % gibibyte === 0 ? `${bytes / gibibyte}GB` : `${bytes / mebibyte}MB`;
}
