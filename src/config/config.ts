/**
 * The configuration: default, interpret, validate, in that order and in this place. One pass finds
 * all faults, so that an operator can correct them together.
 */
import { type CommandLine, type Given, nearestVariable } from './flags.ts';
import { defaultHeapBytes } from './heap.ts';
import type { Kind } from './kinds.ts';
import { otherFormOf, shortFormFault } from './origins.ts';
import { rules, warningsAbout } from './rules.ts';
import type { Settings } from './settings-file.ts';
import { type Config, flagOf, type SettingName, settingNames, table, variableOf } from './table.ts';

export type { Config } from './table.ts';

/** The origin of each value: the flag or variable as given, `file:line`, or undefined for a default. */
export type Origins = ReadonlyMap<SettingName, string>;

export type Interpreted =
  | { readonly config: Config; readonly origins: Origins; readonly warnings: readonly string[] }
  | { readonly faults: readonly string[]; readonly warnings: readonly string[] };

/**
 * Takes each setting from its flag, else its `GATEWAY_*` variable (an empty one counts as absent),
 * else the settings file, else its default. Touches no file: `readConfig` and `findFileFaults` do.
 */
export function interpretConfig(
  line: CommandLine,
  env: NodeJS.ProcessEnv,
  settings?: Settings,
): Interpreted {
  const faults = [...line.faults, ...(settings?.faults ?? [])];
  const values: Record<string, unknown> = {};
  const origins = new Map<SettingName, string>();
  /** As origins, but the origin in a file also names the setting. */
  const blamed = new Map<SettingName, string>();
  const faulty = new Set<SettingName>();
  const foremost = (name: SettingName) => line.given.get(name) ?? fromEnvironment(name, env);
  /** A place in the file yields to one in a flag or variable, also in the other form. */
  const yields = (name: SettingName) => otherFormOf(name).some((other) => foremost(other));
  for (const name of settingNames) {
    values[name] = table[name].fallback;
    const given = foremost(name) ?? (yields(name) ? undefined : settings?.given.get(name));
    if (given === undefined) continue;
    const { source, variable } = given;
    const blame = variable === undefined ? source : `${source}: ${variable}`;
    origins.set(name, source);
    blamed.set(name, blame);
    const reading = read(name, given);
    if ('value' in reading) {
      values[name] = reading.value;
    } else {
      faults.push(...reading.faults.map((fault) => `${blame}: ${fault}`));
      faulty.add(name);
    }
  }
  const config = fitDefaults(values as Config, origins);
  for (const rule of rules) {
    // A default that replaces an unreadable value must not be reported as a fault.
    if (rule.settings.some((name) => faulty.has(name))) continue;
    const fault = rule.fault(config);
    const [first] = rule.settings;
    if (fault !== undefined) faults.push(`${blamed.get(first) ?? flagOf(first)}: ${fault}`);
  }
  const short = shortFormFault(blamed);
  if (short !== undefined) faults.push(short);
  const warnings = misspeltVariables(env);
  if (faults.length > 0) return { faults, warnings };
  warnings.push(...warningsAbout(config));
  return { config: Object.freeze(config), origins, warnings };
}

function fromEnvironment(name: SettingName, env: NodeJS.ProcessEnv): Given | undefined {
  const variable = variableOf(name);
  const value = env[variable];
  return value === undefined || value === '' ? undefined : { texts: [value], source: variable };
}

/** Reads every word, so that an operator sees the faults of all of them. */
function read(
  name: SettingName,
  { texts, source }: Given,
): { readonly value: unknown } | { readonly faults: readonly string[] } {
  const kind: Kind<unknown> = table[name].kind;
  const collected: unknown[] = [];
  const faults: string[] = [];
  for (const text of texts.flatMap((given) => kind.split?.(given) ?? [given])) {
    const reading = kind.read(text);
    if ('value' in reading) collected.push(reading.value);
    else faults.push(reading.fault + linkAdvice(source, text));
  }
  if (faults.length > 0) return { faults };
  const joined = kind.join?.(collected) ?? { value: collected[0] };
  return 'fault' in joined ? { faults: [joined.fault] } : joined;
}

/** Kubernetes sets `GATEWAY_PORT=tcp://…` in every pod beside a Service called "gateway". */
function linkAdvice(source: string, text: string): string {
  if (!source.startsWith('GATEWAY_') || !/^(tcp|udp|sctp):\/\//.test(text)) return '';
  return ' (this looks like a Kubernetes service link: set enableServiceLinks: false in the pod)';
}

/** Default limits shrink to fit the limits that were given. */
function fitDefaults(config: Config, origins: Origins): Config {
  const fit = (name: 'maxObjectBytes' | 'unsizedBytes', limit: number) =>
    origins.has(name) ? config[name] : Math.min(config[name], limit);
  const maxObjectBytes = fit('maxObjectBytes', config.arenaBytes);
  const unsizedBytes = fit('unsizedBytes', maxObjectBytes);
  const clientArenaBytes = origins.has('clientArenaBytes')
    ? config.clientArenaBytes
    : Math.floor(config.arenaBytes / 4);
  const host = config.host.replace(/^\[(.*)\]$/, '$1');
  const maxHeapBytes = origins.has('maxHeapBytes') ? config.maxHeapBytes : defaultHeapBytes(config);
  return { ...config, host, maxObjectBytes, unsizedBytes, clientArenaBytes, maxHeapBytes };
}

/** Variables that look like a setting; only a warning, since others may use the prefix too. */
function misspeltVariables(env: NodeJS.ProcessEnv): string[] {
  const known = new Set(settingNames.map(variableOf));
  const strangers = Object.keys(env).filter(
    (variable) => variable.startsWith('GATEWAY_') && !known.has(variable),
  );
  return strangers.flatMap((variable) => {
    const near = nearestVariable(variable);
    const advice = `${variable} is no setting and was ignored; did you mean ${near}?`;
    return near === undefined ? [] : [advice];
  });
}
