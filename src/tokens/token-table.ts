/** Verifies tokens. */
import { timingSafeEqual } from 'node:crypto';
import { idOf, secretStart, sha256Of, type TokenEntry } from './token.ts';

export type Verdict =
  | { readonly entry: TokenEntry }
  /** Unknown, revoked or wrong; or right and expired. */
  | { readonly entry: undefined; readonly expired: TokenEntry | undefined };

interface Known {
  readonly entry: TokenEntry;
  readonly verdict: Verdict;
  readonly hash: Buffer;
  /**
   * The token as it was last verified, so that repeated requests need no SHA-256. It is set only after a
   * successful check, so wrong tokens cannot displace it, and there is one for each entry.
   */
  verified: string | undefined;
}

const unknown: Verdict = { entry: undefined, expired: undefined };

/** The tokens of one version of the token file. Another version needs another table, which forgets all verified texts. */
export class TokenTable {
  readonly #known: ReadonlyMap<string, Known>;

  constructor(entries: readonly TokenEntry[]) {
    this.#known = new Map(
      entries.map((entry) => [
        entry.id,
        {
          entry,
          verdict: { entry },
          hash: Buffer.from(entry.sha256, 'hex'),
          verified: undefined,
        },
      ]),
    );
  }

  /** Looks a token up by its id, and compares the hash of its secret. */
  verify(token: string, nowMs = Date.now()): Verdict {
    const start = secretStart(token);
    const known = start === undefined ? undefined : this.#known.get(idOf(token, start));
    if (start === undefined || known === undefined) return unknown;
    if (known.verified === undefined || !sameText(known.verified, token)) {
      if (!timingSafeEqual(sha256Of(token.slice(start)), known.hash)) return unknown;
      known.verified = token;
    }
    const { expiresMs } = known.entry;
    if (expiresMs !== null && nowMs >= expiresMs) return { entry: undefined, expired: known.entry };
    return known.verdict;
  }
}

/** Takes the same time wherever texts of one length differ. */
function sameText(known: string, given: string): boolean {
  if (known.length !== given.length) return false;
  let difference = 0;
  for (let at = 0; at < known.length; at++) {
    difference |= known.charCodeAt(at) ^ given.charCodeAt(at);
  }
  return difference === 0;
}
