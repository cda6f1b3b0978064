/**
 * The settings file: `VARIABLE=value` lines, the variables of the environment under the same
 * names, so that one table documents both. There are no quotes, no escapes and no continued lines:
 * the value is the text after the first `=`, without the blanks around it.
 */
import { isUtf8 } from 'node:buffer';
import { readFile, stat } from 'node:fs/promises';
import { type Interpreted, interpretConfig } from './config.ts';
import { type CommandLine, type Given, nearestVariable } from './flags.ts';
import { type SettingName, settingNames, variableOf } from './table.ts';

/** The settings of a file; faults name the file and, where there is one, the line. */
export interface Settings {
  readonly given: ReadonlyMap<SettingName, Given>;
  readonly faults: readonly string[];
}

const MAX_BYTES = 2 ** 20;
/** A file of another kind would have a fault in every line. */
const MAX_FAULTS = 20;

const none: Settings = { given: new Map(), faults: [] };
const fileSetting = 'settingsFile';
const fileVariable = variableOf(fileSetting);
const namesByVariable: ReadonlyMap<string, SettingName> = new Map(
  settingNames.map((name) => [variableOf(name), name]),
);

/** Reads the settings file, if one is named, and interprets everything that is given. */
export async function readConfig(line: CommandLine, env: NodeJS.ProcessEnv): Promise<Interpreted> {
  const file = line.given.get(fileSetting)?.texts[0] ?? env[fileVariable];
  // An empty flag is a fault by itself, an empty variable is absent.
  return interpretConfig(line, env, file ? await readSettings(file) : none);
}

/** Reads a regular file of at most 1 MiB; one that cannot be read is a fault. */
export async function readSettings(file: string): Promise<Settings> {
  try {
    const status = await stat(file);
    // Reading a pipe or a device might never end.
    if (!status.isFile())
      return fault(`${file}: is not a file; the settings file must be a regular file`);
    // A file may have grown since its size was read, so the bytes are checked as well.
    const bytes = status.size > MAX_BYTES ? undefined : await readFile(file);
    if (bytes !== undefined && bytes.length <= MAX_BYTES) return parseSettings(file, bytes);
    return fault(`${file}: is larger than 1MiB, the limit of a settings file`);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return fault(`${file}: does not exist; create it, or correct the path`);
    return fault(`${file}: cannot be read (${code ?? String(error)})`);
  }
}

/** `file` is only for messages and origins. */
export function parseSettings(file: string, bytes: Uint8Array): Settings {
  if (!isUtf8(bytes)) return fault(`${file}:${firstForeignLine(bytes)}: is not UTF-8`);
  const given = new Map<SettingName, Given>();
  const faults: string[] = [];
  const text = new TextDecoder().decode(bytes);
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const source = `${file}:${index + 1}`;
    const reading = readLine(line, given);
    if ('name' in reading) {
      given.set(reading.name, {
        texts: [reading.text],
        source,
        variable: variableOf(reading.name),
      });
      continue;
    }
    if (faults.length === MAX_FAULTS) {
      faults.push(`${source}: is also faulty, and the lines after it were not checked`);
      break;
    }
    faults.push(`${source}: ${reading.fault}`);
  }
  // Empty counts as absent, as in the environment; but it still counts as given, so a second line is a fault.
  for (const [name, { texts }] of given) if (texts[0] === '') given.delete(name);
  return { given, faults };
}

function readLine(
  line: string,
  given: ReadonlyMap<SettingName, Given>,
): { name: SettingName; text: string } | { fault: string } {
  const equals = line.indexOf('=');
  if (equals < 0) return { fault: 'is neither VARIABLE=value nor a comment, which begins with #' };
  const variable = line.slice(0, equals).trimEnd();
  const text = line.slice(equals + 1).trimStart();
  const name = namesByVariable.get(variable);
  if (name === undefined) return { fault: unknownName(variable) };
  if (name === fileSetting)
    return { fault: `${variable}: a settings file cannot name another one` };
  if (/\p{Cc}/u.test(text)) return { fault: `${variable}: has a control character` };
  if (/^(["']).*\1$/.test(text)) return { fault: `${variable}: write the value without quotes` };
  const before = given.get(name);
  if (before === undefined) return { name, text };
  return { fault: `${variable}: is already given at ${before.source}; write it once` };
}

function unknownName(variable: string): string {
  const shown = variable.slice(0, 64).replaceAll(/[\p{C}'"]/gu, '\uFFFD');
  const near = variable.length > 64 ? undefined : nearestVariable(variable);
  const advice = near === undefined ? '; --help lists them' : `; did you mean ${near}?`;
  return `"${shown}" is no setting${advice}`;
}

function firstForeignLine(bytes: Uint8Array): number {
  let line = 1;
  for (let from = 0; ; line++) {
    const end = bytes.indexOf(0x0a, from);
    if (end < 0 || !isUtf8(bytes.subarray(from, end))) return line;
    from = end + 1;
  }
}

const fault = (text: string): Settings => ({ given: new Map(), faults: [text] });
