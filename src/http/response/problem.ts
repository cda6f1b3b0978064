import type { ServerResponse } from 'node:http';
import {
  ProblemError,
  type ProblemOptions,
  type ProblemSlug,
  problemKinds,
} from '../../errors/problems.ts';
import { bodyFields } from './headers.ts';

/**
 * The members of an application/problem+json body (RFC 9457 §3.1) and the gateway's own
 * (docs/errors.md).
 */
export interface ProblemBody {
  type: string;
  title: string;
  status: number;
  detail: string;
  instance?: string;
  code?: number;
  name?: string;
  retryable: boolean;
  requestId: string;
  [member: string]: unknown;
}

export interface ProblemResponse {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/** Makes every error response, those of the supervisor too, so that all have one form. */
export function problemResponse(
  slug: ProblemSlug,
  options: ProblemOptions & { requestId: string; instance?: string },
): ProblemResponse {
  const kind = problemKinds[slug];
  const retryable = options.retryable ?? kind.retryable;
  const body: ProblemBody = {
    type: `/problems/${slug}`,
    title: kind.title,
    status: kind.status,
    detail: options.detail ?? kind.help,
    ...(options.instance === undefined ? {} : { instance: uriReference(options.instance) }),
    ...(options.code === undefined ? {} : { code: options.code }),
    ...(options.name === undefined ? {} : { name: options.name }),
    retryable,
    requestId: options.requestId,
    ...options.members,
  };
  const text = `${JSON.stringify(body)}\n`;
  const retryAfter = retryable ? ('retryAfter' in kind ? kind.retryAfter : 1) : undefined;
  return {
    status: kind.status,
    headers: {
      'Content-Type': 'application/problem+json',
      'Content-Length': String(Buffer.byteLength(text)),
      ...bodyFields,
      ...(retryAfter === undefined ? {} : { 'Retry-After': String(retryAfter) }),
      ...options.headers,
      'X-Request-Id': options.requestId,
    },
    body: text,
  };
}

/**
 * Sends the last response of a connection, also to a request whose body has not been read. The
 * connection then lingers (linger.ts), so that curl, Python and fetch see the status and not a broken
 * pipe. The gateway serves no later request of the connection.
 */
export function sendLastResponse(
  res: ServerResponse,
  method: string,
  { status, headers, body }: ProblemResponse,
): void {
  if (res.req.socket.destroyed) return;
  res.writeHead(status, { ...headers, Connection: 'close' });
  res.end(method === 'HEAD' ? undefined : body);
}

/** Adds names and values in turn; a name that is there gets one more value. */
export function addFields(fields: Record<string, string>, list: readonly string[]): void {
  for (let at = 0; at + 1 < list.length; at += 2) {
    const [name = '', value = ''] = list.slice(at, at + 2);
    fields[name] = fields[name] === undefined ? value : `${fields[name]}, ${value}`;
  }
}

export const methodNotAllowed = (method: string, allow: string): ProblemError =>
  new ProblemError('method-not-allowed', {
    detail: `${method} is not a method of this resource; it has ${allow}.`,
    headers: { Allow: allow },
  });

/**
 * A request target may have any bytes; those that a URI reference must not have (RFC 3986 §2) are
 * encoded. A target whose start only looks like a scheme, such as CONNECT's `127.0.0.1:80`, gets `./`
 * before it (§4.2).
 */
const uriReference = (target: string): string =>
  target
    .replaceAll(
      /[^\w.~:/?@!$&'()*+,;=%-]|%(?![0-9A-Fa-f]{2})/g,
      (unit) => `%${unit.charCodeAt(0).toString(16).padStart(2, '0')}`,
    )
    .replace(/^(?![a-z][a-z0-9+.-]*:)(?=[^/?]+:)/i, './');
