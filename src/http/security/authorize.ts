import { ProblemError } from '../../errors/problems.ts';
import type { Scope } from '../../tokens/token.ts';
import type { Exchange, RouteTemplate } from '../exchange.ts';
import { printable } from '../request/query.ts';
import type { ProtectedPart } from './access.ts';
import { challenge, type Grant, permitsKey } from './grant.ts';

/** The scope that each method of a route needs. */
type Scopes = Readonly<Partial<Record<string, Scope>>>;

/** `open`: no token is needed. A part: a token is needed if the part is protected. Otherwise a scope is needed. */
type Rule = 'open' | ProtectedPart | Scopes;

const readable: Scopes = { GET: 'read', HEAD: 'read' };
const watched: Scopes = { GET: 'admin', HEAD: 'admin' };

/** Every route has its rule here, so a route without one does not compile. */
const rules: Readonly<Record<RouteTemplate, Rule>> = {
  '/v1/objects/{key}': { ...readable, PUT: 'write', DELETE: 'write' },
  '/v1/info/{key}': readable,
  '/v1/layers/{key}': { ...readable, PUT: 'write' },
  '/v1/batch/put': { POST: 'write' },
  '/v1/batch/get': { POST: 'read' },
  '/v1/batch/exists': { POST: 'read' },
  '/v1/batch/info': { POST: 'read' },
  '/v1/batch/remove': { POST: 'write' },
  '/v1/clients': watched,
  '/v1/cluster/health': watched,
  '/v1/cluster/segments': watched,
  '/v1/cluster/capacity': watched,
  '/v1/keys': { ...readable, DELETE: 'admin' },
  '/v1/admin/log-level': { ...watched, PUT: 'admin' },
  '/v1/buffers': { ...readable, DELETE: 'write' },
  '/v1/buffers/{name}': { ...readable, PUT: 'write', DELETE: 'write' },
  '/v1/buffers/{name}/put': { POST: 'write' },
  '/v1/buffers/{name}/get': { POST: 'read' },
  '/livez': 'open',
  '/readyz': 'open',
  '/metrics': 'metrics',
  '/': 'docs',
  '/docs': 'docs',
  '/openapi.json': 'docs',
  '/openapi.yaml': 'docs',
  '/problems/{slug}': 'docs',
  other: 'docs',
};

/** The facts of a request on which its permission depends. */
export type Asked = Pick<Exchange, 'grant' | 'route' | 'method' | 'key'> & {
  readonly gateway: { readonly access: Pick<Exchange['gateway']['access'], 'protects'> };
};

/**
 * Permits the operation of a request, or throws: 401 without a valid token, 403 where the scope or the
 * prefixes do not suffice. Call it once for each operation, before the store or the body is touched. The
 * keys of a batch are checked one by one (`permittedBatches`).
 * @throws ProblemError `token-required`, `token-invalid`, `scope-missing`, `key-not-permitted`
 */
export function authorize({ gateway, grant, route, method, key }: Asked): void {
  const rule = rules[route];
  if (typeof rule === 'string') {
    const isOpen = rule === 'open' || !gateway.access.protects(rule);
    if (!isOpen && grant.refusal !== undefined) throw grant.refusal;
    return;
  }
  // A method that the table lacks needs the scope that fewest have.
  authorizeScope({ grant }, rule[method] ?? 'admin');
  if (key !== '' && !permitsKey(grant, key)) throw keyNotPermitted(grant);
}

/** @throws ProblemError `token-required`, `token-invalid`, `scope-missing` */
export function authorizeScope({ grant }: Pick<Asked, 'grant'>, scope: Scope): void {
  if (grant.refusal !== undefined) throw grant.refusal;
  if (!grant.scopes.includes(scope)) throw scopeMissing(grant, scope);
}

/** What `/readyz?verbose` adds is that of `/v1/clients`, so it needs the same scope. */
export const authorizeVerbose = (asked: Pick<Asked, 'grant'>): void =>
  authorizeScope(asked, 'admin');

export function scopeMissing({ id, certificate }: Grant, scope: Scope): ProblemError {
  if (certificate !== undefined) {
    return new ProblemError('scope-missing', {
      detail: `The operation needs the scope ${scope}, which the client certificate of '${printable(certificate)}' does not have (--tls-client-scopes).`,
    });
  }
  if (id === undefined) {
    return new ProblemError('scope-missing', {
      detail: `The operation needs the scope ${scope}. Without tokens, only loopback and Unix listeners have it: start the gateway with --token-file, or use such a listener.`,
    });
  }
  return new ProblemError('scope-missing', {
    detail: `The operation needs the scope ${scope}, which the token ${id} does not have.`,
    headers: challenge('insufficient_scope', `, scope="${scope}"`),
  });
}

/**
 * Permits an operation on all keys that begin with `prefix`, or throws.
 * @throws ProblemError `key-not-permitted` unless the prefix lies in one of the token's
 */
export function authorizePrefix({ grant }: Pick<Asked, 'grant'>, prefix: string): void {
  if (!permitsKey(grant, prefix)) throw keyNotPermitted(grant);
}

const SHOWN_PREFIXES = 3;

/** The prefixes are those of the client's own token. Whether an object exists is not known here. */
export function keyNotPermitted({ id, prefixes }: Grant): ProblemError {
  const shown = prefixes.slice(0, SHOWN_PREFIXES).map((prefix) => `'${printable(prefix)}'`);
  const others = prefixes.length - shown.length;
  const list = `${shown.join(', ')}${others > 0 ? ` and ${others} more` : ''}`;
  return new ProblemError('key-not-permitted', {
    detail: `The token ${id} permits only keys that begin with ${list}.`,
    headers: challenge('insufficient_scope'),
  });
}
