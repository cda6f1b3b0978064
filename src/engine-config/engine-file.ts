/**
 * Reads a configuration file of the client or of the meta service and collects its faults, so that an
 * operator sees all of them at once, each with the line to change.
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
  /** 1 for the first line; 0 if the fault is in no line. */
  readonly line: number;
  /** The faulty line. */
  readonly text: string;
  readonly problem: string;
  /** The corrected line; without a line, the correction in words. */
  readonly change: string;
}

/** Every fault of the file, each with the line to change. */
export class EngineFileError extends Error {
  readonly faults: readonly EngineFileFault[];

  constructor(faults: readonly EngineFileFault[]) {
    super(faults.map(describe).join('\n'));
    this.name = 'EngineFileError';
    this.faults = faults;
  }

  /** One text for each fault; its continuation lines are indented. */
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

/** The variable is not set; `purpose` is the file that it names, `change` is the correction. */
export function unsetError(variable: string, purpose: string, change: string): EngineFileError {
  return fileError(variable, `is not set; it must name ${purpose}`, change);
}

/**
 * The text of the file that an environment variable names.
 * @throws EngineFileError if it cannot be read, is not a regular file, or is longer than 10 MiB.
 */
export function readEngineFile(variable: string, path: string): string {
  try {
    const stats = statSync(path);
    // Reading a pipe or a device could block or never end.
    if (!stats.isFile()) {
      const kind = stats.isDirectory() ? 'a directory' : 'not a regular file';
      throw fileError(path, `is ${kind}`, `set ${variable} to the path of a file`);
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
    return ['cannot be read by this user', 'chmod a+r on the file, a+x on its folders'];
  }
  return [`cannot be read: ${code}`, 'check the file and its file system'];
}

/**
 * Checks the lines of a text; `path` is for messages. Warnings are for lines that are probably mistakes;
 * none is known to stop every version.
 * @throws EngineFileError with all reported faults, in the order of the lines.
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

/** A line has one fault, the last one reported: its correction covers the earlier ones. */
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
