/** Turns a command line into texts by setting name. Values are not interpreted here. */

import { editDistance } from '../engine-config/edit-distance.ts';
import { switchOf } from './kinds.ts';
import { flagOf, type SettingName, settingNames, table, variableOf } from './table.ts';

export interface Given {
  readonly texts: readonly string[];
  /** The flag or variable as the operator wrote it, or the file and line; for messages. */
  readonly source: string;
  /** In a file: the name of the setting, which the source does not contain. */
  readonly variable?: string;
}

/** The command of a command line. */
export type Command = 'start' | 'help' | 'version' | 'check-config';

export interface CommandLine {
  readonly command: Command;
  readonly given: ReadonlyMap<SettingName, Given>;
  readonly faults: readonly string[];
}

/** The first word of the command that has flags of its own (meta/command.ts). */
export const metaCommand = 'meta';
/** The same, for tokens (token/command.ts). */
export const tokenCommand = 'token';
/** The same, for the check whether a gateway is ready (check-ready/command.ts). */
export const checkReadyCommand = 'check-ready';

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
      // Help and version take precedence over everything, whatever else is wrong on the line.
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
        add(given, faults, { name, source: flag, text: value });
      }
      continue;
    }
    const negated = flag.startsWith('--no-') ? namesByFlag.get(`--${flag.slice(5)}`) : undefined;
    if (negated !== undefined && isSwitch(negated)) {
      if (attached === undefined) {
        add(given, faults, { name: negated, source: flag, text: 'off' });
      } else faults.push(`${flag} takes no value; write ${flag} or ${flagOf(negated)}=${attached}`);
      continue;
    }
    faults.push(unknownWord(flag));
    // The next word is probably its value: one fault, not two.
    if (flag.startsWith('--') && attached === undefined && words[0]?.startsWith('-') === false) {
      words.shift();
    }
  }
  return { command, given, faults };
}

/** The value after a flag; a following flag is not a value, so that a missing value is noticed. */
function takeValue(name: SettingName, words: string[]): string | undefined {
  const next = words[0];
  if (isSwitch(name))
    return next !== undefined && switchOf(next) !== undefined ? words.shift() : 'on';
  return next === undefined || next.startsWith('--') ? undefined : words.shift();
}

function isSwitch(name: SettingName): boolean {
  return table[name].kind.placeholder === '';
}

/** A flag of a list may be given several times, any other once, as in the settings file. */
function add(
  given: Map<SettingName, Given>,
  faults: string[],
  { name, source, text }: { name: SettingName; source: string; text: string },
): void {
  const before = given.get(name);
  if (before !== undefined && !('join' in table[name].kind)) {
    const other = before.source === source ? '' : `, before as ${before.source}`;
    faults.push(`${source}: is given twice${other}; write it once`);
    return;
  }
  given.set(name, { texts: [...(before?.texts ?? []), text], source });
}

function unknownWord(word: string): string {
  if (word === metaCommand || word === tokenCommand || word === checkReadyCommand)
    return `"${word}" is a command: give it before all flags`;
  if (!word.startsWith('-')) {
    return `"${word}" is not a flag; settings are given as --flag value (see --help)`;
  }
  const near = nearest(word, [...namesByFlag.keys(), ...commands.keys()]);
  return `unknown flag ${word}${near === undefined ? '; --help lists them' : `; did you mean ${near}?`}`;
}

/** The closest variable of a setting, with or without the prefix; undefined when none is close. */
export function nearestVariable(variable: string): string | undefined {
  const prefix = 'GATEWAY_';
  const known = settingNames.map((name) => variableOf(name).slice(prefix.length));
  // Without the prefix, which would make all names alike.
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
