/** The scopes of client certificates, by the common name of their subject. */
import { isScope, type Scope, scopes } from '../../tokens/token.ts';
import type { Kind, Reading } from '../kinds.ts';

/** `CN=NAME=SCOPES`. */
export interface ClientRule {
  /** The common name; `*` stands for all certificates that no other rule names. */
  readonly name: string;
  readonly scopes: readonly Scope[];
}

/** A common name has at most 64 characters (RFC 5280, ub-common-name). */
const MAX_NAME = 64;
export const MAX_CLIENT_RULES = 1000;

const example = 'CN=name=read,write';

/** Rules, separated by semicolons since scopes have commas, or the flag several times. */
export function clientScopes(): Kind<readonly ClientRule[]> {
  return {
    placeholder: 'CN=NAME=SCOPE,…',
    accepts: 'common names and scopes',
    read(text) {
      const value: ClientRule[] = [];
      for (const word of text.split(';')) {
        const reading = readRule(word.trim());
        if ('fault' in reading) return reading;
        value.push(reading.value);
      }
      return join([value]);
    },
    join,
    write: (value) =>
      value.map(({ name, scopes: granted }) => `CN=${name}=${granted.join(',')}`).join(';'),
  };
}

/** The name may contain `=`, so the scopes follow the last one. */
function readRule(word: string): Reading<ClientRule> {
  const [, name = '', list] = /^CN=(.*)=([^=]*)$/.exec(word) ?? [];
  if (list === undefined) {
    return {
      fault: `"${shown(word)}" is no rule; write ${example}, or CN=*=read for all certificates`,
    };
  }
  if (name === '' || name.length > MAX_NAME || /\p{C}/u.test(name)) {
    return {
      fault: `"${shown(word)}" has no common name of 1 to ${MAX_NAME} characters; write ${example}`,
    };
  }
  const words = list.split(',').map((scope) => scope.trim());
  const granted = words.filter(isScope);
  if (granted.length < words.length) {
    return {
      fault: `"${shown(word)}" has an unknown scope; give some of ${scopes.join(', ')}: ${example}`,
    };
  }
  return { value: { name, scopes: [...new Set(granted)] } };
}

function join(parts: readonly (readonly ClientRule[])[]): Reading<readonly ClientRule[]> {
  const value = parts.flat();
  const names = value.map(({ name }) => name);
  if (names.length > MAX_CLIENT_RULES) {
    return { fault: `has ${names.length} rules; at most ${MAX_CLIENT_RULES} are allowed` };
  }
  const known = new Set<string>();
  for (const name of names) {
    if (known.has(name)) return { fault: `names CN=${shown(name)} twice; give each name once` };
    known.add(name);
  }
  return { value };
}

const shown = (text: string): string => text.slice(0, 100).replaceAll(/[\p{C}'"]/gu, '\uFFFD');
