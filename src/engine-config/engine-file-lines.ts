/**
 * The lines of an engine configuration file, read as the engine reads them: comments have their own
 * lines, the first `=` separates key and value, and a key may occur once.
 */
import { editDistance } from './edit-distance.ts';

const maxLineBytes = 4096;
/** Characters that editors do not show and that `trim` removes. */
const byteOrderMark = '\uFEFF';

export interface Line {
  /** 1 for the first line. */
  readonly number: number;
  /** The line without surrounding blanks. */
  readonly text: string;
  readonly value: string;
}

export type Lines = ReadonlyMap<string, Line>;

/** Receives a fault: the faulty line, if any; what is wrong; the corrected line. */
export type Report = (line: Line | undefined, problem: string, change: string) => void;
export type Warn = (line: Line, hint: string) => void;

/** The first version of the engine that knows a key. */
export type KeyVersion = '1.0' | '1.1' | '1.2';

/** The publicly documented keys of one kind of file; for hints only. */
export interface KnownKeys {
  readonly since: ReadonlyMap<string, KeyVersion>;
  /** Keys that no released version knows, with advice. */
  readonly withdrawn?: ReadonlyMap<string, string>;
  /** The effect of an unknown key on the program that reads the file. */
  readonly consequence: string;
  /** Keys with these prefixes are passed on unread. */
  readonly foreignPrefix?: string;
}

/** The first version of each key, from the keys that each version adds. */
export function sinceVersions(
  keys: Readonly<Record<KeyVersion, readonly string[]>>,
): ReadonlyMap<string, KeyVersion> {
  const versions = Object.keys(keys) as KeyVersion[];
  return new Map(
    versions.flatMap((version) => keys[version].map((key) => [key, version] as const)),
  );
}

/** The lines by key. `report` gets lines that cannot be valid, `warn` gets doubtful ones. */
export function readLines(text: string, known: KnownKeys, report: Report, warn: Warn): Lines {
  const lines = new Map<string, Line>();
  for (const [index, raw] of text.split('\n').entries()) {
    const trimmed = raw.trim();
    if (index === 0 && raw.startsWith(byteOrderMark)) {
      const first = { number: 1, text: trimmed, value: '' };
      report(first, 'the engine reads the byte order mark at its start as text', trimmed);
    }
    if (trimmed === '' || trimmed.startsWith('#')) continue;
    const at = trimmed.indexOf('=');
    const key = (at < 0 ? (trimmed.split(/\s/)[0] ?? '') : trimmed.slice(0, at)).trim();
    const value = at < 0 ? '' : trimmed.slice(at + 1).trim();
    const line = { number: index + 1, text: trimmed, value };
    const first = lines.get(key);
    if (Buffer.byteLength(trimmed) > maxLineBytes) {
      const start = { ...line, text: `${trimmed.slice(0, 80)}…` };
      report(start, 'the line is longer than 4096 bytes', `${key.slice(0, 80)} = (shorter)`);
    } else if (at < 0 && !isKnown(key, known)) {
      // The engine ignores such a line.
      warn(line, `the engine ignores a line without '=': ${trimmed}`);
    } else if (key === '') {
      report(line, "the key before the '=' is missing", `# ${trimmed}`);
    } else if (first !== undefined) {
      report(line, `${key} is already set in line ${first.number}`, `# ${trimmed}`);
    } else if (at < 0) {
      // The engine ignores it too, although the operator meant a setting. The value is checked as the engine reads it.
      const meant = { ...line, value: trimmed.slice(key.length).trim() };
      report(line, "the '=' is missing", `${key} = ${meant.value || '…'}`);
      lines.set(key, meant);
    } else {
      lines.set(key, line);
      hintAtUnknown(line, key, known, warn);
    }
  }
  return lines;
}

function hintAtUnknown(line: Line, key: string, known: KnownKeys, warn: Warn): void {
  const withdrawn = known.withdrawn?.get(key);
  if (withdrawn !== undefined) warn(line, `${known.consequence}: ${key} ${withdrawn}`);
  if (isKnown(key, known)) return;
  // A typing error is at most two edits.
  const nearest = [...known.since.keys()].find((name) => editDistance(name, key) <= 2);
  const hint = nearest === undefined ? '' : `; did you mean ${nearest}?`;
  warn(line, `${key} is not a documented key, and ${known.consequence}${hint}`);
}

function isKnown(key: string, { since, withdrawn, foreignPrefix }: KnownKeys): boolean {
  if (foreignPrefix !== undefined && key.startsWith(foreignPrefix)) return true;
  return since.has(key) || withdrawn?.has(key) === true;
}

/** The problem text of a value that is invalid for its key. */
export function notA(kind: string, value: string): string {
  if (value === '') return 'the value is missing';
  const comment = value.includes('#') ? '; put the comment on a separate line' : '';
  return `'${value}' is not a ${kind}${comment}`;
}
