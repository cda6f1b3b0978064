/** The command line of `memcache-gateway token`. Values are checked; files are not touched. */
import { nearest } from '../../config/flags.ts';
import { flagOf, variableOf } from '../../config/table.ts';
import { isScope, type Scope, scopes } from '../../tokens/token.ts';
import { MAX_PREFIXES, prefixFault } from '../../tokens/token-file.ts';
import { readDuration } from './duration.ts';

const actions = ['create', 'list', 'revoke'] as const;
type Action = (typeof actions)[number];

/** What a new token permits. */
export interface NewToken {
  readonly scopes: readonly Scope[];
  readonly prefixes: readonly string[];
  /** Undefined for a token that does not expire. */
  readonly validMs: number | undefined;
}

export type TokenCommandLine =
  | { readonly action: 'help' | 'version' }
  | { readonly action: 'create'; readonly file: string; readonly token: NewToken }
  | { readonly action: 'list'; readonly file: string }
  | { readonly action: 'revoke'; readonly file: string; readonly id: string }
  | { readonly action: 'refuse'; readonly faults: readonly string[] };

const fileFlag = flagOf('tokenFile');
const fileVariable = variableOf('tokenFile');
const flags = ['--scopes', '--prefix', '--expires', fileFlag];

interface Words {
  readonly plain: string[];
  readonly values: Map<string, string[]>;
  readonly faults: string[];
  asked: 'help' | 'version' | undefined;
}

/** Parses the words after `token`. An empty variable counts as absent. */
export function parseTokenCommandLine(
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
): TokenCommandLine {
  const words = splitWords(argv);
  if (words.asked !== undefined) return { action: words.asked };
  const { plain, faults } = words;
  const [word, ...rest] = plain;
  const action = actions.find((each) => each === word);
  if (action === undefined) faults.unshift(unknownAction(word));
  const id = action === 'revoke' ? rest.shift() : undefined;
  if (action === 'revoke' && (id === undefined || id === '')) {
    faults.push('revoke needs the id of a token: token revoke ID; token list shows the ids');
  }
  for (const extra of rest) faults.push(`"${extra}" is not a flag; --help lists them`);
  const file = single(words, fileFlag) ?? (env[fileVariable] || undefined);
  if (file === undefined) faults.push(`${fileFlag} FILE is missing (${fileVariable})`);
  const token = action === 'create' ? readNewToken(words) : refuseOthers(words, action);
  if (faults.length > 0 || action === undefined || file === undefined) {
    return { action: 'refuse', faults };
  }
  if (action === 'create') return { action, file, token };
  return action === 'list' ? { action, file } : { action, file, id: id ?? '' };
}

const unknownAction = (word: string | undefined): string =>
  word === undefined
    ? `token needs one of ${actions.join(', ')}; see token --help`
    : `"${word}" is no command of token; give one of ${actions.join(', ')}`;

/** Reads `--flag value` and `--flag=value`. A following flag is no value. */
function splitWords(argv: readonly string[]): Words {
  const words: Words = { plain: [], values: new Map(), faults: [], asked: undefined };
  const left = [...argv];
  for (let word = left.shift(); word !== undefined; word = left.shift()) {
    if (word === '--help' || word === '-h') words.asked = 'help';
    else if (word === '--version' || word === '-v') words.asked ??= 'version';
    else if (!word.startsWith('--')) words.plain.push(word);
    else {
      const equals = word.indexOf('=');
      const flag = equals < 0 ? word : word.slice(0, equals);
      if (!flags.includes(flag)) {
        const near = nearest(flag, flags);
        words.faults.push(
          `unknown flag ${flag}${near === undefined ? '; --help lists them' : `; did you mean ${near}?`}`,
        );
        if (equals < 0 && left[0]?.startsWith('-') === false) left.shift();
        continue;
      }
      const next = left[0]?.startsWith('--') === true ? undefined : left[0];
      const value = equals < 0 ? next : word.slice(equals + 1);
      if (equals < 0 && next !== undefined) left.shift();
      if (value === undefined || value === '') words.faults.push(`${flag} needs a value`);
      else words.values.set(flag, [...(words.values.get(flag) ?? []), value]);
    }
  }
  return words;
}

function single({ values, faults }: Words, flag: string): string | undefined {
  const given = values.get(flag) ?? [];
  if (given.length > 1) faults.push(`${flag} is given twice; write it once`);
  return given[0];
}

function refuseOthers({ values, faults }: Words, action: Action | undefined): NewToken {
  for (const flag of values.keys()) {
    if (flag !== fileFlag && action !== undefined) faults.push(`${flag} is a flag of token create`);
  }
  return { scopes: [], prefixes: [], validMs: undefined };
}

function readNewToken(words: Words): NewToken {
  const { values, faults } = words;
  const named = (values.get('--scopes') ?? []).flatMap((text) => text.split(','));
  if (named.length === 0 && !faults.some((fault) => fault.startsWith('--scopes'))) {
    faults.push(`--scopes is missing; give some of ${scopes.join(', ')}`);
  }
  for (const word of named) {
    if (!isScope(word))
      faults.push(`--scopes: "${word}" is no scope; give some of ${scopes.join(', ')}`);
  }
  const prefixes = [...new Set(values.get('--prefix'))];
  for (const prefix of prefixes) {
    const fault = prefixFault(prefix);
    if (fault !== undefined) faults.push(`--prefix: a prefix ${fault}`);
  }
  if (prefixes.length > MAX_PREFIXES) {
    faults.push(`--prefix: a token has at most ${MAX_PREFIXES} prefixes`);
  }
  const expires = single(words, '--expires');
  const duration = expires === undefined ? undefined : readDuration(expires);
  if (duration !== undefined && 'fault' in duration) faults.push(`--expires: ${duration.fault}`);
  return {
    scopes: scopes.filter((scope) => named.includes(scope)),
    prefixes,
    validMs: duration !== undefined && 'ms' in duration ? duration.ms : undefined,
  };
}
