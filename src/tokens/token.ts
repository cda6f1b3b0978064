/** Bearer tokens: `mcg_<id>_<secret>`. The gateway knows the SHA-256 of the secret, and never the secret. */
import { createHash, randomBytes } from 'node:crypto';

/** Each scope permits its own operations and nothing else. */
export const scopes = ['read', 'write', 'admin'] as const;
export type Scope = (typeof scopes)[number];

export const isScope = (word: unknown): word is Scope =>
  (scopes as readonly unknown[]).includes(word);

/** A token as the token file has it. */
export interface TokenEntry {
  readonly id: string;
  readonly scopes: readonly Scope[];
  /** Keys must begin with one of these; empty permits all keys. */
  readonly prefixes: readonly string[];
  /** Milliseconds since 1970; null for tokens that do not expire. From this time on the token is refused. */
  readonly expiresMs: number | null;
  /** Of the text of the secret, in hexadecimal. */
  readonly sha256: string;
}

const MARK = 'mcg_';
const ID_BYTES = 6;
const SECRET_BYTES = 32;

/** An id has no `_`, which ends it in a token. */
export const ID_PATTERN = /^[0-9a-f]{4,32}$/;
export const SHA256_PATTERN = /^[0-9a-f]{64}$/;

/** The id and the secret of a new token. */
export function newToken(): {
  readonly id: string;
  readonly token: string;
  readonly sha256: string;
} {
  const id = randomBytes(ID_BYTES).toString('hex');
  const secret = randomBytes(SECRET_BYTES).toString('base64url');
  return { id, token: `${MARK}${id}_${secret}`, sha256: sha256Of(secret).toString('hex') };
}

/** Where the secret of a token begins; undefined when the text does not have the form of a token. */
export function secretStart(token: string): number | undefined {
  if (!token.startsWith(MARK)) return undefined;
  const end = token.indexOf('_', MARK.length);
  return end > MARK.length ? end + 1 : undefined;
}

export const idOf = (token: string, start: number): string => token.slice(MARK.length, start - 1);

export const sha256Of = (secret: string): Buffer => createHash('sha256').update(secret).digest();
