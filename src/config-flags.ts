/** From a command line to texts by setting name; nothing is interpreted here but what a flag is. */
import { isSwitchWord } from './config-kinds.ts';
import { flagOf, type SettingName, settingNames, table, variableOf } from './config-table.ts';
import { editDistance } from './native/edit-distance.ts';

export interface Given {
  readonly texts: readonly string[];
  /** The flag or variable as the operator wrote it, or the file and line; for messages. */
  readonly source: string;
  /** In a file, whose source does not tell what is given there. */
  readonly variable?: string;
}

/** What the command line asks for besides settings. */
export type Command = 'start' | 'help' | 'version' | 'check-config';

export interface CommandLine {
  readonly command: Command;
  readonly given: ReadonlyMap<SettingName, Given>;
  readonly faults: readonly string[];
}

/** The word that stands first for the command with flags of its own (meta/command.ts). */
export const metaCommand = 'meta';

const commands: ReadonlyMap<string, Command> = new Map([
  ['--help', 'help'],
  ['-h', 'help'],
  ['--version', 'version'],
  ['-v', 'version'],
  ['--check-config', 'check-config'],
]);
const namesByFlag: ReadonlyMap<string, SettingName> = new Map(
  settingNames.map((name) => [flagOf(name), name]),
);

/** Reads `--flag value`, `--flag=value`, and for switches `--flag`, `--no-flag` and `--flag off`. */
export function parseCommandLine(argv: readonly string[]): CommandLine {
  const given = new Map<SettingName, Given>();
  const faults: string[] = [];
  let command: Command = 'start';
  const words = [...argv];
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    const asked = commands.get(word);
    if (asked !== undefined) {
      // Help and version win over everything, whatever else is wrong on the line.
      if (command === 'start' || asked !== 'check-config') command = asked;
      continue;
    }
    const equals = word.indexOf('=');
    const flag = equals < 0 ? word : word.slice(0, equals);
    const attached = equals < 0 ? undefined : word.slice(equals + 1);
    const name = namesByFlag.get(flag);
    if (name !== undefined) {
      const value = attached ?? takeValue(name, words);
      if (value === undefined) {
        faults.push(`${flag} needs a value: ${flag} ${table[name].kind.placeholder}`);
      } else {
        add(given, name, flag, value);
      }
      continue;
    }
    const negated = flag.startsWith('--no-') ? namesByFlag.get(`--${flag.slice(5)}`) : undefined;
    if (negated !== undefined && isSwitch(negated)) {
      if (attached === undefined) add(given, negated, flag, 'off');
      else faults.push(`${flag} takes no value; write ${flag} or ${flagOf(negated)}=${attached}`);
      continue;
    }
    faults.push(unknownWord(flag));
    // What follows was meant as its value: one fault, not two.
    if (flag.startsWith('--') && attached === undefined && words[0]?.startsWith('-') === false) {
      words.shift();
    }
  }
  return { command, given, faults };
}

/** The value after a flag; a following flag is none, so that a forgotten value is noticed. */
function takeValue(name: SettingName, words: string[]): string | undefined {
  const next = words[0];
  if (isSwitch(name)) return next !== undefined && isSwitchWord(next) ? words.shift() : 'on';
  return next === undefined || next.startsWith('--') ? undefined : words.shift();
}

function isSwitch(name: SettingName): boolean {
  return table[name].kind.placeholder === '';
}

function add(
  given: Map<SettingName, Given>,
  name: SettingName,
  source: string,
  text: string,
): void {
  const before = 'join' in table[name].kind ? (given.get(name)?.texts ?? []) : [];
  given.set(name, { texts: [...before, text], source });
}

function unknownWord(word: string): string {
  if (word === metaCommand) return `"${word}" is a command: it stands before all flags`;
  if (!word.startsWith('-')) {
    return `"${word}" is no flag; settings are given as --flag value (see --help)`;
  }
  const near = nearest(word, [...namesByFlag.keys(), ...commands.keys()]);
  return `unknown flag ${word}${near === undefined ? '; --help lists them' : `; did you mean ${near}?`}`;
}

/** Of a variable's name, with or without the prefix: the setting's that was meant, if any is close. */
export function nearestVariable(variable: string): string | undefined {
  const prefix = 'GATEWAY_';
  const known = settingNames.map((name) => variableOf(name).slice(prefix.length));
  // The prefix that all share makes no two of them alike.
  const near = nearest(
    variable.startsWith(prefix) ? variable.slice(prefix.length) : variable,
    known,
  );
  return near === undefined ? undefined : prefix + near;
}

/** The closest spelling, or undefined when none is close enough to be meant. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}
