/** Verifies tokens. */
import { timingSafeEqual } from 'node:crypto';
import { idOf, secretStart, sha256Of, type TokenEntry } from './token.ts';

interface Known {
  readonly entry: TokenEntry;
  readonly hash: Buffer;
}

/** The tokens of one version of the token file. */
export class TokenTable {
  readonly #known: ReadonlyMap<string, Known>;

  constructor(entries: readonly TokenEntry[]) {
    this.#known = new Map(
      entries.map((entry) => [entry.id, { entry, hash: Buffer.from(entry.sha256, 'hex') }]),
    );
  }

  /**
   * Looks a token up by its id, and compares the hash of its secret in constant time. The entry may have
   * expired. Undefined for a token that is unknown or wrong.
   */
  verify(token: string): TokenEntry | undefined {
    const start = secretStart(token);
    const known = start === undefined ? undefined : this.#known.get(idOf(token, start));
    if (start === undefined || known === undefined) return undefined;
    return timingSafeEqual(sha256Of(token.slice(start)), known.hash) ? known.entry : undefined;
  }
}

/** Whether a token must be refused at a time, in milliseconds since 1970. */
export const hasExpired = ({ expiresMs }: TokenEntry, nowMs: number): boolean =>
  expiresMs !== null && nowMs >= expiresMs;
