/** Values of the engine's configuration files that are words or whole numbers. */
import { type Lines, notA, type Report } from './engine-file-lines.ts';

/** For each key the words that it takes. */
export type Words = Readonly<Record<string, readonly string[]>>;

/** For each key its range, and the value that an absent line means. */
export type Numbers = Readonly<Record<string, readonly [min: number, max: number, usual: number]>>;

export const yesOrNo = ['true', 'false', '1', '0'];

export function judgeWords(lines: Lines, words: Words, report: Report): void {
  for (const [key, taken] of Object.entries(words)) {
    const line = lines.get(key);
    if (line === undefined || taken.includes(line.value)) continue;
    const meant = taken.find((word) => word === line.value.toLowerCase()) ?? taken[0];
    report(line, notA(`word out of ${taken.join(', ')}`, line.value), `${key} = ${meant}`);
  }
}

export function judgeNumbers(lines: Lines, numbers: Numbers, report: Report): void {
  for (const [key, [min, max, usual]] of Object.entries(numbers)) {
    const line = lines.get(key);
    if (line === undefined) continue;
    const value = Number(line.value);
    if (!/^\d+$/.test(line.value)) {
      report(line, notA(`whole number of ${min} to ${max}`, line.value), `${key} = ${usual}`);
    } else if (value < min || value > max) {
      const nearest = Math.min(Math.max(value, min), max);
      report(line, `it must be ${min} to ${max}`, `${key} = ${nearest}`);
    }
  }
}
