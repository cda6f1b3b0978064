/** Numbers as people read them. */
const KIB = 1024;
const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** Three digits are enough for a picture: `0.42`, `3.1`, `27`, `1,234`. */
export function plain(value: number): string {
  if (value >= 100 || Number.isInteger(value)) return Math.round(value).toLocaleString('en-US');
  return String(Number(value.toPrecision(value >= 1 ? 3 : 2)));
}

export function bytes(value: number): string {
  let scaled = value;
  let unit = 0;
  for (; scaled >= KIB && unit < UNITS.length - 1; unit++) scaled /= KIB;
  return `${plain(scaled)} ${UNITS[unit] ?? ''}`;
}

export const bytesPerSecond = (value: number): string => `${bytes(value)}/s`;

export const perSecond = (value: number): string => `${plain(value)}/s`;

export const milliseconds = (value: number): string =>
  value >= 1000 ? `${plain(value / 1000)} s` : `${plain(value)} ms`;

/** Never 100 % for less than all, nor 0 % for more than nothing. */
export function percent(ratio: number): string {
  const value = Math.round(ratio * 1000) / 10;
  if (value === 100 && ratio < 1) return '99.9 %';
  if (value === 0 && ratio > 0) return '0.1 %';
  return `${value} %`;
}

/** `5 s`, `12 min`, `3 h`, `2 d`. */
export function duration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} d`;
}

/** The end of an axis: the next 1, 2 or 5 times a power of ten. */
export function roundMaximum(most: number): number {
  if (!(most > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(most));
  const step = [1, 2, 5, 10].find((each) => each * power >= most) ?? 10;
  return step * power;
}

/** The end of an axis of bytes: the next power of two, at least 1 KiB. */
export const roundBytes = (most: number): number => 2 ** Math.ceil(Math.log2(Math.max(most, KIB)));
