/**
 * The text of the token file (docs/security.md): `{"version":1,"tokens":[…]}`. Unknown members are
 * faults, so that a misspelt restriction never grants more than was meant.
 */
import { isUtf8 } from 'node:buffer';
import { ID_PATTERN, isScope, SHA256_PATTERN, scopes, type TokenEntry } from './token.ts';

export const MAX_TOKENS = 10_000;
/** Each is compared with each key of a batch. */
export const MAX_PREFIXES = 16;
/** As long as the longest key. */
const MAX_PREFIX_BYTES = 255;
const MAX_FAULTS = 20;
const VERSION = 1;

export type ParsedTokens =
  | { readonly tokens: readonly TokenEntry[] }
  | { readonly faults: readonly string[] };

/** The tokens of a file, or all of its faults. No fault repeats a value of the file. */
export function parseTokenFile(bytes: Uint8Array): ParsedTokens {
  if (bytes.length === 0) {
    return { faults: ['is empty; a file without tokens is {"version":1,"tokens":[]}'] };
  }
  const value = isUtf8(bytes) ? parseJson(bytes) : undefined;
  if (!isRecord(value)) return { faults: ['is not a JSON object in UTF-8'] };
  const { version, tokens, ...others } = value;
  if (version !== VERSION) {
    return { faults: [`has no "version" ${VERSION}; this gateway reads no other version`] };
  }
  const strange = Object.keys(others);
  if (strange.length > 0) return { faults: [unknownMember('', strange[0] ?? '')] };
  if (!Array.isArray(tokens)) return { faults: ['has no array "tokens"'] };
  if (tokens.length > MAX_TOKENS) {
    return { faults: [`has ${tokens.length} tokens; at most ${MAX_TOKENS} are allowed`] };
  }
  return readEntries(tokens);
}

/** The text that reads back as `tokens`, with one token in each line. */
export function formatTokenFile(tokens: readonly TokenEntry[]): string {
  const lines = tokens.map(({ id, scopes: granted, prefixes, expiresMs, sha256 }) => {
    const expires = expiresMs === null ? null : new Date(expiresMs).toISOString();
    return `\n  ${JSON.stringify({ id, scopes: granted, prefixes, expires, sha256 })}`;
  });
  return `{"version":${VERSION},"tokens":[${lines.join(',')}${lines.length > 0 ? '\n' : ''}]}\n`;
}

/** The fault of a prefix, or undefined. */
export function prefixFault(prefix: unknown): string | undefined {
  if (typeof prefix !== 'string') return 'is no text';
  if (prefix === '') return 'is empty; without a prefix, all keys are permitted';
  if (Buffer.byteLength(prefix) > MAX_PREFIX_BYTES) {
    return `has more than ${MAX_PREFIX_BYTES} bytes, so no key can begin with it`;
  }
  if (/[\p{Cc}\p{Surrogate}]/u.test(prefix)) {
    return 'has a control character or half of a surrogate pair, which no key has';
  }
  return undefined;
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes));
  } catch {
    return undefined;
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const unknownMember = (where: string, name: string): string =>
  `${where}has the unknown member "${name.slice(0, 32).replaceAll(/[^\w -]/g, '\uFFFD')}"`;

function readEntries(values: readonly unknown[]): ParsedTokens {
  const tokens: TokenEntry[] = [];
  const faults: string[] = [];
  const ids = new Set<string>();
  for (const [index, value] of values.entries()) {
    const read = readEntry(value);
    const fault = typeof read === 'string' ? read : ids.has(read.id) && 'has the id of another one';
    if (typeof fault === 'string') faults.push(`tokens[${index}] ${fault}`);
    else if (typeof read !== 'string') {
      ids.add(read.id);
      tokens.push(read);
    }
    if (faults.length === MAX_FAULTS) break;
  }
  return faults.length > 0 ? { faults } : { tokens };
}

/** An entry, or its first fault. */
function readEntry(value: unknown): TokenEntry | string {
  if (!isRecord(value)) return 'is no object';
  const { id, scopes: granted, prefixes, expires, sha256, ...others } = value;
  const [strange] = Object.keys(others);
  if (strange !== undefined) return unknownMember('', strange);
  if (typeof id !== 'string' || !ID_PATTERN.test(id)) {
    return 'needs an "id" of 4 to 32 hexadecimal digits in lower case';
  }
  if (typeof sha256 !== 'string' || !SHA256_PATTERN.test(sha256)) {
    return 'needs a "sha256" of 64 hexadecimal digits in lower case';
  }
  if (!Array.isArray(granted) || granted.length === 0 || !granted.every(isScope)) {
    return `needs "scopes": some of ${scopes.join(', ')}`;
  }
  if (!Array.isArray(prefixes) || prefixes.length > MAX_PREFIXES) {
    return `needs an array "prefixes" of at most ${MAX_PREFIXES}; [] permits all keys`;
  }
  for (const [at, prefix] of prefixes.entries()) {
    const fault = prefixFault(prefix);
    if (fault !== undefined) return `prefixes[${at}] ${fault}`;
  }
  const expiresMs = expires === null ? null : timeOf(expires);
  if (expiresMs === undefined) {
    return 'needs "expires": null, or a time such as "2027-01-31T00:00:00Z"';
  }
  return { id, scopes: granted, prefixes: prefixes as string[], expiresMs, sha256 };
}

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z$/;

/** Undefined also for days such as February 31, which Date.parse reads as a day of March. */
function timeOf(text: unknown): number | undefined {
  if (typeof text !== 'string' || !TIME.test(text)) return undefined;
  const time = Date.parse(text);
  const isReal = !Number.isNaN(time) && new Date(time).toISOString().startsWith(text.slice(0, 19));
  return isReal ? time : undefined;
}
