/** The command line of `memcache-gateway meta`: its own flag, and those of the gateway that concern it. */
import { interpretConfig } from '../../config/config.ts';
import { type Command, parseCommandLine } from '../../config/flags.ts';
import { type Config, flagOf, type SettingName, variableOf } from '../../config/table.ts';

export type MetaSettings = Pick<Config, 'engine' | 'logFormat'>;

export interface MetaCommandLine {
  readonly command: Command;
  /** The program, if it was named. */
  readonly bin: string | undefined;
  /** Undefined when one of them has a fault. */
  readonly settings: MetaSettings | undefined;
  readonly faults: readonly string[];
}

const concerned: readonly SettingName[] = ['engine', 'logFormat'];

/**
 * Variables of other settings are not read: a gateway and a meta service may share an environment,
 * and a fault of the gateway's must not stop the meta service.
 */
export function parseMetaCommandLine(
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
): MetaCommandLine {
  const { bin, fault, rest } = takeBin(argv);
  const line = parseCommandLine(rest);
  const strangers = [...line.given].filter(([name]) => !concerned.includes(name));
  const given = new Map([...line.given].filter(([name]) => concerned.includes(name)));
  const variables = Object.fromEntries(
    concerned.map((name) => [variableOf(name), env[variableOf(name)]]),
  );
  const interpreted = interpretConfig({ ...line, given }, variables);
  const own = ['--bin', ...concerned.map(flagOf)].join(', ');
  const faults = [
    ...(fault === undefined ? [] : [fault]),
    ...strangers.map(([, { source }]) => `${source} is a flag of the gateway; meta takes ${own}`),
    ...('faults' in interpreted ? interpreted.faults : []),
  ];
  const settings = 'config' in interpreted ? interpreted.config : undefined;
  return { command: line.command, bin, settings, faults };
}

/** Takes `--bin PATH` and `--bin=PATH` out; the last one counts, as with the other flags. */
function takeBin(argv: readonly string[]) {
  const rest: string[] = [];
  const words = [...argv];
  let bin: string | undefined;
  let fault: string | undefined;
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    if (word !== '--bin' && !word.startsWith('--bin=')) {
      rest.push(word);
      continue;
    }
    const separate = words[0]?.startsWith('--') === true ? undefined : words[0];
    const value = word === '--bin' ? separate : word.slice('--bin='.length);
    if (word === '--bin' && separate !== undefined) words.shift();
    if (value) bin = value;
    else fault = '--bin needs a value: --bin PATH';
  }
  return { bin, fault, rest };
}
