import type { IncomingMessage } from 'node:http';
import { ProblemError } from '../../errors/problems.ts';
import { authorityOf, MAX_TARGET_LENGTH, parseTarget } from '../request/target.ts';
import { isPreflight } from '../response/cors.ts';
import { methodNotAllowed } from '../response/problem.ts';
import type { Access } from './access.ts';
import type { Grant } from './grant.ts';
import type { BrowserGuard } from './host.ts';

/** The Expect header of a request: none, 100-continue, or an unknown one. */
export type Expectation = 'none' | 'continue' | 'unknown';

/** 16 KiB hold 3,000 header lines, which take 300 KB of heap for as long as the request lasts. */
const MAX_HEADER_LINES = 256;

/**
 * Checks the parts of a head that all requests have, the token among them. Returns what the request may
 * do. Where the path needs a token, a request without a valid one gets 401 before its Host is judged: the
 * host says nothing more then. @throws ProblemError
 */
export function checkHead(
  req: IncomingMessage,
  expectation: Expectation,
  guard: BrowserGuard,
  access: Access,
): Grant {
  const { url = '/', headers, rawHeaders, httpVersion, httpVersionMajor } = req;
  if (httpVersionMajor !== 1) {
    throw new ProblemError('http-version-not-supported', {
      detail: `The request is of HTTP/${httpVersion}; this gateway speaks HTTP/1.1.`,
    });
  }
  if (url.length > MAX_TARGET_LENGTH) throw new ProblemError('uri-too-long');
  if (expectation === 'unknown') throw new ProblemError('expectation-failed');
  const grant = access.identify(req);
  const { refusal, id } = grant;
  if (refusal !== undefined && access.needsToken(parseTarget(url).path) && !isPreflight(req)) {
    throw refusal;
  }
  // Only a target in absolute form has an authority.
  const authority = url.charCodeAt(0) === 0x2f ? undefined : authorityOf(url);
  const isAllowedOrigin = guard(headers.host, headers.origin, authority, id !== undefined);
  if (headers['sec-fetch-site'] !== undefined) refuseCrossSite(req, isAllowedOrigin);
  if (rawHeaders.length > 2 * MAX_HEADER_LINES) throw new ProblemError('headers-too-large');
  return grant;
}

/**
 * Refuses a request below /v1/ that a browser sends for a page of another site. A `no-cors` request
 * has no Origin, and the events of a frame or a script show the page whether the response was a
 * success. So the refusal comes before the store is queried, the same for present and missing keys.
 * Browsers send Sec-Fetch-Site (W3C Fetch Metadata) to HTTPS and loopback addresses only, and no page
 * can set it. A preflight has no credentials and no effect, and its Origin is checked as every other.
 * @throws ProblemError `origin-not-allowed`
 */
function refuseCrossSite(req: IncomingMessage, isAllowedOrigin: boolean): void {
  const { url = '/', headers } = req;
  const site = headers['sec-fetch-site'];
  if (!comesFromOtherSite(req)) return;
  if (isAllowedOrigin || !parseTarget(url).path.startsWith('/v1/')) return;
  if (isPreflight(req)) return;
  throw new ProblemError('origin-not-allowed', {
    detail: `A page of another site made this request (Sec-Fetch-Site: ${site}) without an Origin that is allowed here. Allow the page's origin with --allow-origin, and call from a script with fetch in its default mode, which sends the Origin.`,
  });
}

/** Whether a browser sends the request for a page of another site, also for a link there. */
export function comesFromOtherSite({ headers }: Pick<IncomingMessage, 'headers'>): boolean {
  const site = headers['sec-fetch-site'];
  return site === 'cross-site' || site === 'same-site';
}

/** The problem with a CONNECT: the gateway has no tunnels. */
export function problemOfConnect({ headers }: IncomingMessage, guard: BrowserGuard): ProblemError {
  try {
    guard(headers.host, headers.origin);
  } catch (error) {
    return error instanceof ProblemError ? error : new ProblemError('internal-error');
  }
  return methodNotAllowed('CONNECT', 'GET, HEAD, PUT, POST, DELETE');
}
