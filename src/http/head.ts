import type { IncomingMessage } from 'node:http';
import { ProblemError } from '../errors.ts';
import type { BrowserGuard } from './host.ts';
import { methodNotAllowed } from './refuse.ts';
import { authorityOf, MAX_TARGET_LENGTH } from './target.ts';

/** The Expect header of a request: none, 100-continue, or one that nobody knows. */
export type Expectation = 'none' | 'continue' | 'unknown';

/** Checks what every request has, whatever it asks for; throws the problem with it. */
export function checkHead(
  { url = '/', headers, httpVersion, httpVersionMajor }: IncomingMessage,
  expectation: Expectation,
  guard: BrowserGuard,
): void {
  if (httpVersionMajor !== 1) {
    throw new ProblemError('http-version-not-supported', {
      detail: `The request is of HTTP/${httpVersion}; this gateway speaks HTTP/1.1.`,
    });
  }
  if (url.length > MAX_TARGET_LENGTH) throw new ProblemError('uri-too-long');
  if (expectation === 'unknown') throw new ProblemError('expectation-failed');
  // Only a target in absolute form has an authority.
  if (url.charCodeAt(0) === 0x2f) guard(headers.host, headers.origin);
  else guard(headers.host, headers.origin, authorityOf(url));
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
