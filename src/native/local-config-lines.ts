/**
 * The lines of the engine's configuration file, as the engine reads them: comments stand on lines of
 * their own, the first `=` divides, a key may stand once.
 */
import { aggregateKey, isKnownKey, nearestKey } from './local-config-keys.ts';

const maxLineBytes = 4096;

export interface Line {
  /** 1 for the first. */
  readonly number: number;
  /** As it stands, without blanks around it. */
  readonly text: string;
  readonly value: string;
}

export type Lines = ReadonlyMap<string, Line>;

/** Takes a fault: the line, if one is to blame; what is wrong; the line as it should be. */
export type Report = (line: Line | undefined, problem: string, change: string) => void;
export type Warn = (line: Line, hint: string) => void;

/** The lines by key; what cannot be a line of the file goes to `report`, doubts go to `warn`. */
export function readLines(text: string, report: Report, warn: Warn): Lines {
  const lines = new Map<string, Line>();
  for (const [index, raw] of text.split('\n').entries()) {
    const trimmed = raw.trim();
    if (trimmed === '' || trimmed.startsWith('#')) continue;
    const at = trimmed.indexOf('=');
    const key = (at < 0 ? (trimmed.split(/\s/)[0] ?? '') : trimmed.slice(0, at)).trim();
    const value = at < 0 ? '' : trimmed.slice(at + 1).trim();
    const line = { number: index + 1, text: trimmed, value };
    const first = lines.get(key);
    if (Buffer.byteLength(trimmed) > maxLineBytes) {
      const start = { ...line, text: `${trimmed.slice(0, 80)}…` };
      report(start, 'the line is longer than 4096 bytes', `${key.slice(0, 80)} = (shorter)`);
    } else if (at < 0) {
      judgeNoEquals(line, key, report, warn);
    } else if (key === '') {
      report(line, "nothing stands before the '='", `# ${trimmed}`);
    } else if (first !== undefined) {
      report(line, `${key} stands in line ${first.number} already`, `# ${trimmed}`);
    } else {
      lines.set(key, line);
      hintAt(line, key, warn);
    }
  }
  return lines;
}

/** The engine passes over such a line, and so over a setting that somebody meant. */
function judgeNoEquals(line: Line, key: string, report: Report, warn: Warn): void {
  if (isKnownKey(key)) {
    report(line, "the '=' is missing", `${key} = ${line.text.slice(key.length).trim() || '…'}`);
  } else {
    warn(line, `the engine ignores a line without '=': ${line.text}`);
  }
}

function hintAt(line: Line, key: string, warn: Warn): void {
  if (!isKnownKey(key)) {
    const nearest = nearestKey(key);
    const hint = nearest === undefined ? '' : `; did you mean ${nearest}?`;
    warn(
      line,
      `${key} is no documented key, and init fails on a key the engine does not know${hint}`,
    );
  }
  if (key === aggregateKey && line.value === 'true') {
    warn(line, `version 1.0.x may answer reads with nothing while this is on: ${key} = false`);
  }
}
