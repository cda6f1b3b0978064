/** A client for which the test plays the gateway. */
import assert from 'node:assert/strict';
import { type ClientOptions, createClient } from '../../../packages/client/src/index.ts';

export type Answer = () => Response | Promise<Response>;

export interface Asked {
  readonly method: string;
  readonly url: string;
  readonly headers: Headers;
  readonly body: unknown;
}

/** A client whose requests get these responses, one after another. */
export function scripted(answers: readonly Answer[], options: Partial<ClientOptions> = {}) {
  const asked: Asked[] = [];
  const left = [...answers];
  const fetch = async (url: unknown, init: RequestInit = {}): Promise<Response> => {
    init.signal?.throwIfAborted();
    asked.push({
      method: init.method ?? 'GET',
      url: String(url),
      headers: new Headers(init.headers),
      body: init.body,
    });
    const answer = left.shift();
    assert.ok(answer, 'one request too many');
    return answer();
  };
  const client = createClient({
    baseUrl: 'http://gateway:1/',
    retryDelayMs: 1,
    fetch,
    ...options,
  });
  return { client, asked, left };
}

export const ok =
  (body: Uint8Array | string, headers = {}): Answer =>
  () =>
    new Response(body as BodyInit, { headers });
export const problem =
  (slug: string, status: number, retryable: boolean, headers = {}): Answer =>
  () =>
    Response.json(
      { type: `/problems/${slug}`, status, detail: 'why', retryable, code: -1, name: 'MMC_ERROR' },
      { status, headers },
    );
export const broken: Answer = () => {
  throw new TypeError('fetch failed');
};
