import { type ProblemError, sharedProblem } from '../../errors/problems.ts';
import { type Scope, scopes } from '../../tokens/token.ts';

/** What a request may do. The entry of a token is one. */
export interface Grant {
  /** Of its token; undefined without one. */
  readonly id: string | undefined;
  readonly scopes: readonly Scope[];
  /** The key must begin with one of these; empty permits all keys. */
  readonly prefixes: readonly string[];
  /** The common name of its client certificate; absent without one. */
  readonly certificate?: string;
  /** The response where a token is needed, if the request has no valid one. */
  readonly refusal?: ProblemError;
}

const REALM = 'Bearer realm="memcache-gateway"';

/** The WWW-Authenticate of a request whose token does not suffice (RFC 6750 §3). */
export const challenge = (error: 'invalid_token' | 'insufficient_scope', more = '') => ({
  'WWW-Authenticate': `${REALM}, error="${error}"${more}`,
});

const tokenRequired = sharedProblem('token-required', { headers: { 'WWW-Authenticate': REALM } });
const tokenInvalid = sharedProblem('token-invalid', { headers: challenge('invalid_token') });

const none = { id: undefined, scopes: [], prefixes: [] };

/** Of a request with no token. */
export const nothing: Grant = { ...none, refusal: tokenRequired };
/** Of a request with a token that is not valid. */
export const invalid: Grant = { ...none, refusal: tokenInvalid };
/** Of loopback and Unix listeners without tokens. */
export const everything: Grant = { ...none, scopes };
/** Of other listeners without tokens (--insecure). */
export const overNetwork: Grant = { ...none, scopes: scopes.filter((scope) => scope !== 'admin') };

/** Whether the prefixes of a grant include a key. */
export function permitsKey({ prefixes }: Pick<Grant, 'prefixes'>, key: string): boolean {
  if (prefixes.length === 0) return true;
  for (const prefix of prefixes) if (key.startsWith(prefix)) return true;
  return false;
}
