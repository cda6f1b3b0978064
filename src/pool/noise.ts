/**
 * What an engine prints. Of each pattern a few lines at a time are shown, and a few dozen of all;
 * the rest is counted. Reading never stops, whatever is printed, because a full pipe would block the
 * worker; and nothing is kept but a line in the making and a bounded table of patterns.
 */
import { StringDecoder } from 'node:string_decoder';

export interface NoiseOptions {
  /** Called for a line worth showing, with what was left out since the last one. */
  readonly show: (line: string, leftOut: LeftOut) => void;
  /** The lines this is about; without it, all. */
  readonly concerns?: (line: string) => boolean;
  /** Lines of one pattern shown in each window. */
  readonly linesPerWindow?: number;
  /** Lines shown in each window, whatever their pattern. */
  readonly linesInAll?: number;
  readonly windowMs?: number;
  readonly now?: () => number;
}

/** Counts of lines that were not shown. */
export interface LeftOut {
  /** Of the pattern that the shown line has. */
  readonly repeats: number;
  /** Of any pattern, because there were too many in all. */
  readonly others: number;
}

export interface NoiseFilter {
  push(chunk: Buffer): void;
}

const lineCharacters = 1000;
const patternCharacters = 60;
const mostPatterns = 200;

/** What is shown and left out while a window lasts. */
interface Window {
  start: number;
  shown: number;
  leftOut: number;
}

export function createNoiseFilter(options: NoiseOptions): NoiseFilter {
  const { show, concerns, windowMs = 10_000, now = Date.now } = options;
  const { linesPerWindow = 5, linesInAll = 50 } = options;
  const patterns = new Map<string, Window>();
  const all: Window = { start: now(), shown: 0, leftOut: 0 };
  const decoder = new StringDecoder('utf8');
  let partial = '';

  function windowOf(line: string, time: number): Window {
    const name = line
      .slice(0, 2 * patternCharacters)
      .replace(/\d+/g, '#')
      .slice(0, patternCharacters);
    let window = patterns.get(name);
    if (window === undefined) {
      if (patterns.size >= mostPatterns) patterns.clear();
      window = { start: time, shown: 0, leftOut: 0 };
      patterns.set(name, window);
    }
    return window;
  }

  /** Whether a window has room; if not, the line counts as left out of it. */
  function admits(window: Window, most: number, time: number): boolean {
    if (time - window.start >= windowMs) {
      window.start = time;
      window.shown = 0;
    }
    if (window.shown < most) return true;
    window.leftOut += 1;
    return false;
  }

  function consider(line: string, time: number): void {
    const text = line.trimEnd();
    if (text === '' || concerns?.(text) === false) return;
    const pattern = windowOf(text, time);
    if (!admits(pattern, linesPerWindow, time) || !admits(all, linesInAll, time)) return;
    pattern.shown += 1;
    all.shown += 1;
    show(text, { repeats: pattern.leftOut, others: all.leftOut });
    pattern.leftOut = 0;
    all.leftOut = 0;
  }

  return {
    push(chunk) {
      const time = now();
      const lines = (partial + decoder.write(chunk)).split('\n');
      partial = (lines.pop() ?? '').slice(0, lineCharacters);
      for (const line of lines) consider(line.slice(0, lineCharacters), time);
    },
  };
}
