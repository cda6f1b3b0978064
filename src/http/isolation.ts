import type { IncomingMessage } from 'node:http';
import { ProblemError } from '../errors.ts';
import type { HeaderList } from './respond.ts';
import { parseTarget } from './target.ts';

/**
 * Headers of every response but a page's, which has a stricter policy of its own: a page of another
 * site can neither load the response as a subresource nor show it in a frame. The values are fixed,
 * so that the hot path joins them once.
 */
export const isolationFields: Readonly<Record<string, string>> = {
  'Cross-Origin-Resource-Policy': 'same-origin',
  'X-Frame-Options': 'DENY',
  'Content-Security-Policy': "frame-ancestors 'none'",
};
export const isolationHeaders: HeaderList = Object.entries(isolationFields).flat();

/**
 * Refuses a request below /v1/ that a browser sends for a page of another site. A `no-cors` request
 * has no Origin, and a frame or a script tells by its events whether the response was a success: so
 * the refusal comes before the store is asked, the same for present and missing keys. Browsers send
 * Sec-Fetch-Site (W3C Fetch Metadata) to HTTPS and loopback addresses only, and no page can set it.
 * A preflight has no credentials and no effect, and its Origin is checked as every other.
 * @throws ProblemError `origin-not-allowed`
 */
export function refuseCrossSite(
  { url = '/', method, headers }: Pick<IncomingMessage, 'url' | 'method' | 'headers'>,
  isAllowedOrigin: boolean,
): void {
  const site = headers['sec-fetch-site'];
  if (site !== 'cross-site' && site !== 'same-site') return;
  if (isAllowedOrigin || !parseTarget(url).path.startsWith('/v1/')) return;
  if (method === 'OPTIONS' && headers['access-control-request-method'] !== undefined) return;
  throw new ProblemError('origin-not-allowed', {
    detail: `A page of another site made this request (Sec-Fetch-Site: ${site}) without an Origin that is allowed here. Allow the page's origin with --allow-origin, and call from a script with fetch in its default mode, which sends the Origin.`,
  });
}
