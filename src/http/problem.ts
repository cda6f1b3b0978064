import { type ProblemOptions, type ProblemSlug, problemKinds } from '../errors.ts';
import { isolationFields } from './isolation.ts';

/** The members of an application/problem+json body (RFC 9457 §3.1, and ours from design.md §3). */
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

/** Every error answer is made here, the supervisor's too, so that all have one form. */
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
      'Cache-Control': 'no-store',
      'X-Content-Type-Options': 'nosniff',
      ...isolationFields,
      ...(retryAfter === undefined ? {} : { 'Retry-After': String(retryAfter) }),
      ...options.headers,
      'X-Request-Id': options.requestId,
    },
    body: text,
  };
}

/**
 * A request target may hold any byte; what a URI reference may not (RFC 3986 §2) is encoded. Nor may
 * it begin with what looks like a scheme and is none, as CONNECT's `127.0.0.1:80` does (§4.2).
 */
const uriReference = (target: string): string =>
  target
    .replaceAll(
      /[^\w.~:/?@!$&'()*+,;=%-]|%(?![0-9A-Fa-f]{2})/g,
      (unit) => `%${unit.charCodeAt(0).toString(16).padStart(2, '0')}`,
    )
    .replace(/^(?![a-z][a-z0-9+.-]*:)(?=[^/?]+:)/i, './');
