/**
 * A configuration file of the engine, the client's or the meta service's: found, read whole, and its
 * faults collected, so that an operator sees all of them at once, each with the line to change.
 */
import { readFileSync, statSync } from 'node:fs';
import {
  type KnownKeys,
  type Lines,
  type Report,
  readLines,
  type Warn,
} from './engine-file-lines.ts';

const maxFileBytes = 10 * 2 ** 20;

export interface EngineFileFault {
  readonly file: string;
  /** 1 for the first line; 0 when no line is to blame. */
  readonly line: number;
  /** The line as it stands. */
  readonly text: string;
  readonly problem: string;
  /** The line as it should be; without a line, what to do. */
  readonly change: string;
}

/** Every fault of the file at once, each with the line to change. */
export class EngineFileError extends Error {
  readonly faults: readonly EngineFileFault[];

  constructor(faults: readonly EngineFileFault[]) {
    super(faults.map(describe).join('\n'));
    this.name = 'EngineFileError';
    this.faults = faults;
  }

  /** One text for each fault; its further lines are indented. */
  get texts(): string[] {
    return this.faults.map(describe);
  }
}

function describe({ file, line, text, problem, change }: EngineFileFault): string {
  if (line === 0) return `${file}: ${problem}\n  ${change}`;
  return `${file}:${line}: ${problem}\n  line:      ${text}\n  change to: ${change}`;
}

function fileError(file: string, problem: string, change: string): EngineFileError {
  return new EngineFileError([{ file, line: 0, text: '', problem, change }]);
}

/** The variable is not set; `purpose` is what it names, `change` how to mend that. */
export function unsetError(variable: string, purpose: string, change: string): EngineFileError {
  return fileError(variable, `is not set, and names ${purpose}`, change);
}

/**
 * The text of the file that an environment variable names.
 * @throws EngineFileError when it cannot be read, is no regular file, or is longer than 10 MiB.
 */
export function readEngineFile(variable: string, path: string): string {
  try {
    const stats = statSync(path);
    // A pipe or a device would be waited for, or read without an end.
    if (!stats.isFile()) {
      const kind = stats.isDirectory() ? 'a directory' : 'not a regular file';
      throw fileError(path, `is ${kind}`, `let ${variable} name the file itself`);
    }
    if (stats.size > maxFileBytes) throw fileError(path, 'is longer than 10 MiB', 'shorten it');
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof EngineFileError) throw error;
    throw fileError(path, ...readProblem(error, variable));
  }
}

function readProblem(error: unknown, variable: string): [problem: string, change: string] {
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return ['does not exist', `create it, or correct ${variable}`];
  }
  if (code === 'EACCES') {
    return ['may not be read by this user', 'chmod a+r on the file, a+x on its folders'];
  }
  return [`cannot be read: ${code}`, 'see to the file'];
}

/**
 * Has the lines of a text judged; `path` is for messages. Warnings are of lines that are probably not
 * what was meant; none is known to stop every version.
 * @throws EngineFileError with all that was reported, in the order of the lines.
 */
export function judgeLines<T>(
  path: string,
  text: string,
  known: KnownKeys,
  judge: (lines: Lines, report: Report, warn: Warn) => T,
): { readonly value: T; readonly warnings: readonly string[] } {
  const faults: EngineFileFault[] = [];
  const warnings: string[] = [];
  const report: Report = (line, problem, change) =>
    faults.push(
      line === undefined
        ? { file: path, line: 0, text: '', problem, change: `add the line: ${change}` }
        : { file: path, line: line.number, text: line.text, problem, change },
    );
  const warn: Warn = (line, hint) => warnings.push(`${path}:${line.number}: ${hint}`);
  const value = judge(readLines(text, known, report, warn), report, warn);
  if (faults.length > 0) {
    throw new EngineFileError(ofLines(faults).sort((a, b) => a.line - b.line));
  }
  return { value, warnings };
}

/** A line has one fault, and the change that mends all of it: what is found last knows what it means. */
function ofLines(faults: readonly EngineFileFault[]): EngineFileFault[] {
  const merged: EngineFileFault[] = [];
  for (const fault of faults) {
    const at = fault.line === 0 ? -1 : merged.findIndex(({ line }) => line === fault.line);
    const before = merged[at];
    if (before === undefined) merged.push(fault);
    else merged[at] = { ...fault, problem: `${before.problem}; ${fault.problem}` };
  }
  return merged;
}
