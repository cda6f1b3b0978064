/**
 * The lines of a configuration file of the engine, as the engine reads them: comments stand on lines
 * of their own, the first `=` divides, a key may stand once.
 */
import { editDistance } from './edit-distance.ts';

const maxLineBytes = 4096;
/** Which editors do not show, and `trim` takes away. */
const byteOrderMark = '\uFEFF';

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

/** The first version of the engine that knows a key. */
export type KeyVersion = '1.0' | '1.1' | '1.2';

/** The keys of one kind of file that are documented publicly for some version; for hints. */
export interface KnownKeys {
  readonly since: ReadonlyMap<string, KeyVersion>;
  /** Keys that no released version knows, each with what to do instead. */
  readonly withdrawn?: ReadonlyMap<string, string>;
  /** What becomes of a key that the program which reads the file does not know. */
  readonly consequence: string;
  /** Keys that begin so are handed on unread. */
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

/** The lines by key; what cannot be a line of the file goes to `report`, doubts go to `warn`. */
export function readLines(text: string, known: KnownKeys, report: Report, warn: Warn): Lines {
  const lines = new Map<string, Line>();
  for (const [index, raw] of text.split('\n').entries()) {
    const trimmed = raw.trim();
    if (index === 0 && raw.startsWith(byteOrderMark)) {
      const first = { number: 1, text: trimmed, value: '' };
      report(first, 'a byte order mark stands before it, and the engine takes it along', trimmed);
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
      // The engine passes over such a line.
      warn(line, `the engine ignores a line without '=': ${trimmed}`);
    } else if (key === '') {
      report(line, "nothing stands before the '='", `# ${trimmed}`);
    } else if (first !== undefined) {
      report(line, `${key} stands in line ${first.number} already`, `# ${trimmed}`);
    } else if (at < 0) {
      // And so over a setting that somebody meant, whose value is judged as it will be read.
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
  // A slip of the hand is at most two edits.
  const nearest = [...known.since.keys()].find((name) => editDistance(name, key) <= 2);
  const hint = nearest === undefined ? '' : `; did you mean ${nearest}?`;
  warn(line, `${key} is no documented key, and ${known.consequence}${hint}`);
}

function isKnown(key: string, { since, withdrawn, foreignPrefix }: KnownKeys): boolean {
  if (foreignPrefix !== undefined && key.startsWith(foreignPrefix)) return true;
  return since.has(key) || withdrawn?.has(key) === true;
}

/** The problem of a value that is no such thing as its key takes. */
export function notA(kind: string, value: string): string {
  if (value === '') return 'the value is missing';
  const comment = value.includes('#') ? '; a comment needs a line of its own' : '';
  return `'${value}' is not a ${kind}${comment}`;
}
