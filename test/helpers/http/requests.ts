import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { ProblemSlug } from '../../../src/errors/problems.ts';
import { type RawResponse, requestChecked } from '../openapi/openapi.ts';
import type { ReadyGateway } from '../process/gateway.ts';
import { clientOf } from './checked-client.ts';

export interface RequestOptions {
  readonly headers?: Record<string, string>;
  readonly body?: Uint8Array | string;
}

/** A data route, or a whole path. */
type Resource = 'objects' | 'info' | 'layers' | `/${string}`;

export type ProblemAnswer = RawResponse & { readonly json: Record<string, unknown> };

/** Percent-encodes characters that a request line cannot hold, and keeps escapes, slashes and queries. */
const target = (text: string): string => text.replaceAll(/[^!-~]+/gu, encodeURIComponent);

/**
 * Requests to objects of one gateway, each on its own connection. All responses are checked against
 * openapi.yaml. Set-up and checks of stored values use the client.
 */
export function requestTo(gateway: () => ReadyGateway) {
  /** `what` is `key?query`, as written in the path. */
  async function request(
    method: string,
    what: string,
    { headers, body }: RequestOptions = {},
    resource: Resource = 'objects',
  ): Promise<RawResponse> {
    const path = resource.startsWith('/') ? resource + what : `/v1/${resource}/${target(what)}`;
    const given = { ...(headers && { headers }), ...(body !== undefined && { body }) };
    return requestChecked(gateway().url, { method, path, ...given });
  }

  /** Sends a request whose response must be this problem. */
  async function problem(
    method: string,
    what: string,
    status: number,
    slug: ProblemSlug,
    options: RequestOptions = {},
    resource: Resource = 'objects',
  ): Promise<ProblemAnswer> {
    const answer = await request(method, what, options, resource);
    const label = `${method} ${resource} ${what} → ${answer.status} ${answer.body.toString()}`;
    assert.equal(answer.status, status, label);
    const json = JSON.parse(answer.body.toString()) as Record<string, unknown>;
    assert.equal(json['type'], `/problems/${slug}`, label);
    return { ...answer, json };
  }

  const newKey = (stem: string): string => `${stem}/${randomUUID()}`;

  const { put, get } = clientOf(gateway);

  /** Stores an object under a new key, and returns the key. */
  async function store(body: Uint8Array | string): Promise<string> {
    const key = newKey('stored');
    assert.equal(await put(key, body), 'created');
    return key;
  }

  /** Returns the value of the object with this key, which has no escapes. */
  const value = async (key: string): Promise<Buffer> => {
    const bytes = await get(key);
    assert.ok(bytes !== undefined, `no object ${key}`);
    return Buffer.from(bytes);
  };

  return { request, problem, store, value, newKey };
}
