import type { IncomingMessage } from 'node:http';
import { ProblemError } from '../errors.ts';
import type { BrowserGuard } from './host.ts';
import { refuseCrossSite } from './isolation.ts';
import { methodNotAllowed } from './refuse.ts';
import { authorityOf, MAX_TARGET_LENGTH } from './target.ts';

/** The Expect header of a request: none, 100-continue, or one that nobody knows. */
export type Expectation = 'none' | 'continue' | 'unknown';

/** 16 KiB hold 3,000 header lines, which take 300 KB of heap for as long as the request lasts. */
const MAX_HEADER_LINES = 256;

/** Checks what every request has, whatever it asks for; throws the problem with it. */
export function checkHead(
  req: IncomingMessage,
  expectation: Expectation,
  guard: BrowserGuard,
): void {
  const { url = '/', headers, rawHeaders, httpVersion, httpVersionMajor } = req;
  if (httpVersionMajor !== 1) {
    throw new ProblemError('http-version-not-supported', {
      detail: `The request is of HTTP/${httpVersion}; this gateway speaks HTTP/1.1.`,
    });
  }
  if (url.length > MAX_TARGET_LENGTH) throw new ProblemError('uri-too-long');
  if (expectation === 'unknown') throw new ProblemError('expectation-failed');
  // Only a target in absolute form has an authority.
  const authority = url.charCodeAt(0) === 0x2f ? undefined : authorityOf(url);
  refuseCrossSite(req, guard(headers.host, headers.origin, authority));
  if (rawHeaders.length > 2 * MAX_HEADER_LINES) throw new ProblemError('headers-too-large');
}

/** What a CONNECT is told: there are no tunnels here. */
export function problemOfConnect({ headers }: IncomingMessage, guard: BrowserGuard): unknown {
  try {
    guard(headers.host, headers.origin);
  } catch (error) {
    return error;
  }
  return methodNotAllowed('CONNECT', 'GET, HEAD, PUT, POST, DELETE');
}
