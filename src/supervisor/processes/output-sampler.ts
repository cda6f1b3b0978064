/**
 * Samples the output of an engine. It shows the first line of each pattern, then each minute the number of
 * further lines; at most a few dozen lines in all. Reading never stops, since a full pipe would block
 * the worker. Memory is bounded: one incomplete line and a table of patterns.
 */
import { StringDecoder } from 'node:string_decoder';

export interface OutputSamplerOptions {
  /** Called for a line worth showing. */
  readonly show: (line: string, leftOut: LeftOut) => void;
  /** Selects the lines to sample; without it, all. */
  readonly concerns?: (line: string) => boolean;
  /** Lines shown from one report to the next, and by a report, whatever their pattern. */
  readonly linesInAll?: number;
}

/** Counts of lines that were not shown. */
export interface LeftOut {
  /** Lines of the same pattern as the shown line; 0 when it is shown for the first time. */
  readonly repeats: number;
  /** Lines of any pattern, because there were too many in all. */
  readonly others: number;
}

export interface OutputSampler {
  push(chunk: Buffer): void;
  /** Call this each minute: it shows the counts and resets them. */
  report(): void;
  /** The stream has ended: shows an incomplete last line, and the counts. */
  end(): void;
}

/** How often to report the lines that were not shown. */
export const SAMPLE_REPORT_MS = 60_000;

const lineCharacters = 1000;
const patternCharacters = 60;
const maxPatterns = 200;

interface Pattern {
  readonly first: string;
  /** Since the last report. */
  repeats: number;
}

export function createOutputSampler(options: OutputSamplerOptions): OutputSampler {
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
    if (shown === linesInAll || patterns.size === maxPatterns) {
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
    // A pattern without new lines is forgotten, so that its next line is shown.
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

/** A copy, since a part of a string keeps alive the whole chunk that it was cut from. */
const copyOf = (text: string): string => Buffer.from(text).toString();

/** The beginning of a line without its numbers, which lines of one pattern share. */
const patternOf = (line: string): string =>
  line
    .slice(0, 2 * patternCharacters)
    .replace(/\d+/g, '#')
    .slice(0, patternCharacters);
