/** CORS (W3C Fetch): pages of allowed origins may read responses, without the credentials of the browser. */
import type { IncomingMessage } from 'node:http';

/** Returns the origin of a request if it may use the gateway; undefined for another, and without one. */
export type AllowedOrigin = (origin: string | undefined) => string | undefined;

/** The origins of a list; one with `*.` after its scheme stands for all names below a domain, at any depth. */
export function allowedOrigins(list: readonly string[]): AllowedOrigin {
  const known = list.map((each) => each.toLowerCase());
  const isPattern = (each: string): boolean => each.includes('*');
  const exact = new Set(known.filter((each) => !isPattern(each)));
  const patterns = known.filter(isPattern).map(patternOf);
  return (origin) => {
    if (origin === undefined) return undefined;
    const given = origin.toLowerCase();
    return exact.has(given) || patterns.some((pattern) => pattern.test(given)) ? origin : undefined;
  };
}

/** `https://*.example.com:8443`: labels of host names in the place of the star, and nothing else. */
function patternOf(origin: string): RegExp {
  const [scheme = '', domain = ''] = origin.split('*');
  const literal = (text: string) => text.replaceAll(/[.]/g, '\\.');
  return new RegExp(`^${literal(scheme)}([a-z0-9_-]+\\.)*[a-z0-9_-]+${literal(domain)}$`);
}

/** A browser sends it without credentials before the request of a page, and it has no effect. */
export const isPreflight = ({ method, headers }: Pick<IncomingMessage, 'method' | 'headers'>) =>
  method === 'OPTIONS' && headers['access-control-request-method'] !== undefined;

/** Response headers that a page may read, besides those that every page may. */
export const EXPOSED_HEADERS = [
  ...['Accept', 'Accept-Encoding', 'Accept-Post', 'Accept-Ranges', 'Allow', 'Batch-Failed'],
  ...['Content-Disposition', 'Content-Length', 'Content-Range', 'Location', 'Memcache-Outcome'],
  ...[
    'Memcache-Replicas',
    'Repr-Digest',
    'Retry-After',
    'Server-Timing',
    'WWW-Authenticate',
    'X-Request-Id',
  ],
];

/** Request headers that a page may set. `*` would not include Authorization. */
export const ALLOWED_HEADERS = [
  ...['Accept', 'Authorization', 'Content-Digest', 'Content-Type', 'If-Match', 'If-None-Match'],
  ...['If-Range', 'Memcache-Timing', 'Range', 'Want-Repr-Digest', 'X-Request-Id'],
];

export const ALLOWED_METHODS = ['GET', 'HEAD', 'PUT', 'POST', 'DELETE'];

/** Two hours: Chromium accepts no more. */
const MAX_AGE_SECONDS = 7200;

/** Headers of a response to a page of an allowed origin; names and values in turn. */
export const corsHeaders = (origin: string): string[] => [
  ...['Access-Control-Allow-Origin', origin],
  ...['Access-Control-Expose-Headers', EXPOSED_HEADERS.join(', ')],
  ...['Vary', 'Origin'],
];

/** Headers of the response to a preflight of an allowed origin. */
export const preflightHeaders = (origin: string): string[] => [
  ...['Access-Control-Allow-Origin', origin],
  ...['Access-Control-Allow-Methods', ALLOWED_METHODS.join(', ')],
  ...['Access-Control-Allow-Headers', ALLOWED_HEADERS.join(', ')],
  ...['Access-Control-Max-Age', String(MAX_AGE_SECONDS)],
  ...['Vary', 'Origin'],
];
