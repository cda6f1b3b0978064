/** Values in the engine's configuration files that are words or whole numbers. */
import { type Lines, notA, type Report } from './engine-file-lines.ts';

/** The accepted words of each key. */
export type Words = Readonly<Record<string, readonly string[]>>;

/** The range of each key, and the default of an absent line. */
export type Numbers = Readonly<Record<string, readonly [min: number, max: number, usual: number]>>;

export const yesOrNo = ['true', 'false', '1', '0'];

export function judgeWords(lines: Lines, words: Words, report: Report): void {
  for (const [key, taken] of Object.entries(words)) {
    const line = lines.get(key);
    if (line === undefined || taken.includes(line.value)) continue;
    const meant = taken.find((word) => word === line.value.toLowerCase()) ?? taken[0];
    report(line, notA(`known word (${taken.join(', ')})`, line.value), `${key} = ${meant}`);
  }
}

export function judgeNumbers(lines: Lines, numbers: Numbers, report: Report): void {
  for (const [key, [min, max, usual]] of Object.entries(numbers)) {
    const line = lines.get(key);
    if (line === undefined) continue;
    const value = Number(line.value);
    if (!/^\d+$/.test(line.value)) {
      report(line, notA(`whole number from ${min} to ${max}`, line.value), `${key} = ${usual}`);
    } else if (value < min || value > max) {
      const nearest = Math.min(Math.max(value, min), max);
      report(line, `it must be from ${min} to ${max}`, `${key} = ${nearest}`);
    }
  }
}
