import { AssertionError } from 'node:assert';
import { request as httpRequest } from 'node:http';
import { type ProblemSlug, problemKinds } from '../../../src/errors/problems.ts';
import {
  type FoundOperation,
  findOperation,
  openApiDocument,
  problemsOf,
  type ResponseObject,
  resolve,
} from './openapi-document.ts';
import { checkBody, checkHeaders } from './openapi-validate.ts';

type HeaderValues = Headers | Readonly<Record<string, string | readonly string[] | undefined>>;

export interface ReceivedResponse {
  method: string;
  /** The raw request target, as it was sent; undefined when the request was not HTTP. */
  path: string | undefined;
  status: number;
  headers: HeaderValues;
  body?: Uint8Array | string | undefined;
}

/** Statuses that are possible before the gateway knows whether path and method exist. */
const ANYWHERE = new Set([400, 401, 403, 408, 414, 417, 431, 500, 501, 503, 505]);

function plainHeaders(headers: HeaderValues): Map<string, string> {
  const plain = new Map<string, string>();
  if (headers instanceof Headers) {
    headers.forEach((value, name) => {
      plain.set(name, value);
    });
    return plain;
  }
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined) continue;
    plain.set(name.toLowerCase(), typeof value === 'string' ? value : value.join(', '));
  }
  return plain;
}

/** Returns the description of this response; adds a fault and returns undefined when there is none. */
function describedResponse(
  { status }: ReceivedResponse,
  found: FoundOperation | undefined,
  problems: ReadonlySet<string> | undefined,
  faults: string[],
): ResponseObject | undefined {
  if (found?.operation !== undefined) {
    const { responses } = found.operation;
    const isProblem = [...(problems ?? [])].some((slug) => statusOf(slug) === status);
    const response = responses[String(status)] ?? (isProblem ? responses['default'] : undefined);
    if (response !== undefined) return resolve(response);
    faults.push(`status ${status} is not declared for ${found.operation.operationId}`);
    return undefined;
  }
  const fallback = found === undefined ? 404 : 405;
  if (status !== fallback && !ANYWHERE.has(status)) {
    const where = found === undefined ? 'an unknown path' : `a method ${found.template} lacks`;
    faults.push(`status ${status} is not an answer to ${where} (expected ${fallback})`);
    return undefined;
  }
  return componentOf(status);
}

const statusOf = (slug: string): number => problemKinds[slug as ProblemSlug].status;

function componentOf(status: number): ResponseObject | undefined {
  return Object.values(openApiDocument.components.responses).find((response) =>
    Object.values(response.content?.['application/problem+json']?.examples ?? {}).some(
      ({ value }) => (value as { status?: number }).status === status,
    ),
  );
}

/** Written again, since the gateway's own list may lack one. */
const ISOLATION = {
  'cross-origin-resource-policy': 'same-origin',
  'x-frame-options': 'DENY',
  'content-security-policy': "frame-ancestors 'none'",
};

/** Responses below /v1/, and those to bytes that are not HTTP, must exclude pages of other sites. */
function checkIsolation(
  path: string | undefined,
  headers: ReadonlyMap<string, string>,
  faults: string[],
): void {
  if (path !== undefined && !/^(https?:\/\/[^/]*)?\/v1\//i.test(path)) return;
  for (const [name, value] of Object.entries(ISOLATION)) {
    const found = headers.get(name);
    if (found !== value) faults.push(`${name} is ${found}, not ${value}`);
  }
}

/**
 * Checks a response against openapi.yaml: its status, all declared headers and no others, its content
 * type and its body. Throws an AssertionError that names every fault. The caller passes the raw request
 * target, so that any key finds its operation.
 */
export function checkResponse(received: ReceivedResponse): void {
  const faults: string[] = [];
  const headers = plainHeaders(received.headers);
  const { method, path } = received;
  const found = path === undefined ? undefined : findOperation(method, path);
  const problems = found?.operation === undefined ? undefined : problemsOf(found.operation);
  const response = describedResponse(received, found, problems, faults);
  checkIsolation(received.path, headers, faults);
  if (response !== undefined) {
    checkHeaders(response.headers ?? {}, received.status, headers, faults);
    checkBody({ ...received, problems }, response.content, headers, faults);
  }
  if (faults.length === 0) return;
  const answer = `${received.method} ${received.path ?? '(no path)'} → ${received.status}`;
  throw new AssertionError({
    message: `${answer} does not match openapi.yaml:\n- ${faults.join('\n- ')}`,
    actual: { status: received.status, headers: Object.fromEntries(headers) },
    stackStartFn: checkResponse,
  });
}

/** Like `fetch`, but reads the whole response and checks it; the caller can read the returned one again. */
export async function fetchChecked(url: string | URL, init: RequestInit = {}): Promise<Response> {
  const { pathname, search } = new URL(url);
  const response = await fetch(url, init);
  const body = Buffer.from(await response.arrayBuffer());
  const { status, statusText, headers } = response;
  checkResponse({ method: init.method ?? 'GET', path: pathname + search, status, headers, body });
  const empty = status === 204 || status === 304;
  return new Response(empty ? null : body, { status, statusText, headers });
}

export interface RawRequest {
  method?: string;
  /** Sent unchanged: no URL library rewrites it. */
  path: string;
  headers?: Record<string, string>;
  body?: Uint8Array | string;
}

export interface RawResponse {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Buffer;
}

/**
 * `http.request` on its own connection, for targets and headers that `fetch` does not send; checks the
 * response. The origin is a URL, or `unix:` and the path of a socket.
 */
export async function requestChecked(origin: string, raw: RawRequest): Promise<RawResponse> {
  const response = await requestRaw(origin, raw);
  checkResponse({ method: raw.method ?? 'GET', path: raw.path, ...response });
  return response;
}

function endpointOf(origin: string) {
  if (origin.startsWith('unix:')) return { socketPath: origin.slice('unix:'.length) };
  const { hostname, port } = new URL(origin);
  return { host: hostname.replace(/^\[|\]$/g, ''), port };
}

/** Sends a request whose response openapi.yaml does not describe. */
export function requestRaw(origin: string, raw: RawRequest): Promise<RawResponse> {
  const method = raw.method ?? 'GET';
  return new Promise((fulfil, reject) => {
    const request = httpRequest(
      { ...endpointOf(origin), method, path: raw.path, agent: false },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const { statusCode: status = 0, headers } = response;
          const body = Buffer.concat(chunks);
          fulfil({ status, headers, body });
        });
      },
    );
    for (const [name, value] of Object.entries(raw.headers ?? {})) request.setHeader(name, value);
    request.on('error', reject);
    request.end(raw.body);
  });
}
