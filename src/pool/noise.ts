/**
 * What an engine prints. The first line of each pattern is shown, and then, each minute, how many
 * have come since; of all patterns a few dozen lines at most. Reading never stops, whatever is printed,
 * because a full pipe would block the worker; and nothing is kept but a line in the making and a
 * bounded table of patterns.
 */
import { StringDecoder } from 'node:string_decoder';

export interface NoiseOptions {
  /** Called for a line worth showing. */
  readonly show: (line: string, leftOut: LeftOut) => void;
  /** The lines this is about; without it, all. */
  readonly concerns?: (line: string) => boolean;
  /** Lines shown from one report to the next, and by a report, whatever their pattern. */
  readonly linesInAll?: number;
}

/** Counts of lines that were not shown. */
export interface LeftOut {
  /** Of the pattern that the shown line was the first of; 0 when it is shown for the first time. */
  readonly repeats: number;
  /** Of any pattern, because there were too many in all. */
  readonly others: number;
}

export interface NoiseFilter {
  push(chunk: Buffer): void;
  /** To be called each minute: shows the counts, and begins to count anew. */
  report(): void;
  /** Nothing more comes: what has no line's end is a line, and the counts are shown. */
  end(): void;
}

/** How often what was left out is to be reported. */
export const noiseReportMs = 60_000;

const lineCharacters = 1000;
const patternCharacters = 60;
const mostPatterns = 200;

interface Pattern {
  readonly first: string;
  /** Since the last report. */
  repeats: number;
}

export function createNoiseFilter(options: NoiseOptions): NoiseFilter {
  const { show, concerns, linesInAll = 50 } = options;
  const patterns = new Map<string, Pattern>();
  const decoder = new StringDecoder('utf8');
  let partial = '';
  let shown = 0;
  let others = 0;

  function tell(line: string, repeats: number): void {
    show(line, { repeats, others });
    others = 0;
  }

  function consider(line: string): void {
    const text = line.trimEnd();
    if (text === '' || concerns?.(text) === false) return;
    const name = patternOf(text);
    const known = patterns.get(name);
    if (known !== undefined) {
      known.repeats += 1;
      return;
    }
    if (shown === linesInAll || patterns.size === mostPatterns) {
      others += 1;
      return;
    }
    patterns.set(copyOf(name), { first: copyOf(text), repeats: 0 });
    shown += 1;
    tell(text, 0);
  }

  function report(): void {
    const repeated = [...patterns.values()].filter(({ repeats }) => repeats > 0);
    repeated.sort((a, b) => b.repeats - a.repeats);
    for (const { repeats } of repeated.splice(linesInAll)) others += repeats;
    if (repeated.length === 0 && others > 0) tell('(lines of many kinds)', 0);
    for (const { first, repeats } of repeated) tell(first, repeats);
    shown = 0;
    // What has fallen silent is worth a line when it comes again.
    for (const [name, pattern] of patterns) {
      if (pattern.repeats === 0) patterns.delete(name);
      else pattern.repeats = 0;
    }
  }

  return {
    push(chunk) {
      const lines = (partial + decoder.write(chunk)).split('\n');
      partial = (lines.pop() ?? '').slice(0, lineCharacters);
      for (const line of lines) consider(line.slice(0, lineCharacters));
    },
    report,
    end() {
      consider((partial + decoder.end()).slice(0, lineCharacters));
      partial = '';
      report();
    },
  };
}

/** A part of a string keeps the whole chunk alive that it was cut from. */
const copyOf = (text: string): string => Buffer.from(text).toString();

/** What lines have in common that differ in numbers only: their beginning. */
const patternOf = (line: string): string =>
  line
    .slice(0, 2 * patternCharacters)
    .replace(/\d+/g, '#')
    .slice(0, patternCharacters);
