/** The requests of one client on one connection, and the expected responses, as the tables define them. */
import { createHash } from 'node:crypto';
import { requestHead } from '../../../helpers/http/raw-connection.ts';

export type Headers = Readonly<Record<string, string | number>>;
export type Body = string | Uint8Array;

/** An expected response: its status, and the request that it belongs to. */
export type Expected = readonly [status: number, method: string, path: string];

export interface Step {
  /** Each piece is written separately, once the kernel has accepted the previous one. */
  readonly send: readonly Body[];
  readonly answers: readonly Expected[];
  /** The client ends its side after `send`. */
  readonly ends?: boolean;
}

export type Exchange = readonly Step[];

/** Problems name the request, so it gets the same id from both gateways. */
const id = { 'X-Request-Id': 'the-same' };

export const head = (method: string, path: string, headers: Headers = {}): string =>
  requestHead(method, path, { ...id, ...headers });

/** One request, in one packet where possible. A body gets a Content-Length unless it is chunked. */
export function one(
  status: number,
  method: string,
  path: string,
  headers: Headers = {},
  body?: Body,
): Exchange {
  return [{ send: [whole(method, path, headers, body)], answers: [[status, method, path]] }];
}

/** The same with the head and the body in separate packets. */
export function apart(
  status: number,
  method: string,
  path: string,
  headers: Headers,
  body: Body,
): Exchange {
  const send = [head(method, path, withLength(headers, body)), body];
  return [{ send, answers: [[status, method, path]] }];
}

export function whole(method: string, path: string, headers: Headers = {}, body?: Body): Buffer {
  if (body === undefined) return Buffer.from(head(method, path, headers));
  const start = Buffer.from(head(method, path, withLength(headers, body)));
  return Buffer.concat([start, Buffer.from(body)]);
}

function withLength(headers: Headers, body: Body): Headers {
  const has = (name: string) => Object.keys(headers).some((each) => each.toLowerCase() === name);
  if (has('content-length') || has('transfer-encoding')) return headers;
  return { ...headers, 'Content-Length': Buffer.byteLength(body) };
}

/** Returns the same bytes on every run and for both gateways; they repeat only after 251 KiB. */
export function bytesOf(count: number): Buffer {
  const bytes = Buffer.allocUnsafe(count);
  for (let at = 0; at < count; at += 1) bytes[at] = (at * 7 + (at >> 10)) % 251;
  return bytes;
}

export const sha256 = (body: Body): string =>
  `sha-256=:${createHash('sha256').update(body).digest('base64')}:`;
