/**
 * What an engine prints. It goes to the log at debug, at most a few lines of each pattern at a time;
 * the rest is counted. Reading never stops, whatever is printed, because a full pipe would block the
 * worker; and nothing is kept but a line in the making and a bounded table of patterns.
 */
import { StringDecoder } from 'node:string_decoder';

export interface NoiseOptions {
  /** Called for a line worth showing; `repeats` like it were left out before. */
  readonly show: (line: string, repeats: number) => void;
  /** Lines of one pattern shown in each window. */
  readonly linesPerWindow?: number;
  readonly windowMs?: number;
  readonly now?: () => number;
}

export interface NoiseFilter {
  push(chunk: Buffer): void;
}

const lineCharacters = 1000;
const patternCharacters = 60;
const mostPatterns = 200;

interface Pattern {
  windowStart: number;
  shown: number;
  repeats: number;
}

export function createNoiseFilter(options: NoiseOptions): NoiseFilter {
  const { show, linesPerWindow = 5, windowMs = 10_000, now = Date.now } = options;
  const patterns = new Map<string, Pattern>();
  const decoder = new StringDecoder('utf8');
  let partial = '';

  function consider(line: string, time: number): void {
    const text = line.trimEnd();
    if (text === '') return;
    const name = text
      .slice(0, 2 * patternCharacters)
      .replace(/\d+/g, '#')
      .slice(0, patternCharacters);
    let pattern = patterns.get(name);
    if (pattern === undefined) {
      if (patterns.size >= mostPatterns) patterns.clear();
      pattern = { windowStart: time, shown: 0, repeats: 0 };
      patterns.set(name, pattern);
    } else if (time - pattern.windowStart >= windowMs) {
      pattern.windowStart = time;
      pattern.shown = 0;
    }
    if (pattern.shown >= linesPerWindow) {
      pattern.repeats += 1;
      return;
    }
    pattern.shown += 1;
    show(text, pattern.repeats);
    pattern.repeats = 0;
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

/** The last bytes that went by, for the report of a death. */
export function createTail(bytes: number): { push(chunk: Buffer): void; text(): string } {
  let tail = Buffer.alloc(0);
  return {
    push(chunk) {
      // Copied, since a slice would keep the whole chunk alive.
      tail = Buffer.from(Buffer.concat([tail, chunk.subarray(-bytes)]).subarray(-bytes));
    },
    text: () => tail.toString('utf8').trim(),
  };
}
