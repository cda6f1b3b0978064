import assert from 'node:assert/strict';
import type { ProblemSlug } from '../../../src/errors/problems.ts';
import { type RawResponse, requestChecked } from '../openapi/openapi.ts';
import type { ReadyGateway } from '../process/gateway.ts';

export interface AnsweredItem {
  readonly key: string;
  readonly status: number;
  readonly code: number | null;
  readonly [member: string]: unknown;
}

export interface BatchAnswer {
  readonly items: readonly AnsweredItem[];
  readonly failed: number;
}

/** More keys than one call of the engine accepts, 16,384. */
export const MOST_KEYS = 17_000;
/** The largest JSON body, and the largest header of a safetensors file. */
export const MOST_JSON_BYTES = 4 << 20;

/** Limits for tests of batches. Windows have 4 MiB, an eighth of the arena. */
export const batchLimits = [
  ...['--arena-bytes', '32MiB', '--pool-bytes', '512MiB', '--max-object-bytes', '16MiB'],
  ...['--unsized-bytes', '10MiB', '--batch-keys', String(MOST_KEYS)],
  ...['--batch-json-bytes', String(MOST_JSON_BYTES)],
] as const;

type Operation = 'put' | 'get' | 'exists' | 'info' | 'remove';

/** Batch requests to one gateway; each response is checked against openapi.yaml. */
export function batchesOf(gateway: () => ReadyGateway) {
  async function post(
    operation: `${Operation}${string}`,
    body: Uint8Array | string,
    headers: Record<string, string> = { 'content-type': 'application/json' },
  ): Promise<RawResponse> {
    return requestChecked(gateway().url, {
      method: 'POST',
      path: `/v1/batch/${operation}`,
      headers,
      body,
    });
  }

  /** Sends and receives JSON; checks that the counts in header and body agree with the items. */
  async function batch(operation: Operation, body: unknown): Promise<BatchAnswer> {
    const answer = await post(operation, JSON.stringify(body));
    assert.equal(answer.status, 200, answer.body.toString().slice(0, 500));
    const json = JSON.parse(answer.body.toString()) as BatchAnswer;
    const failed = json.items.filter(({ status }) => status >= 400).length;
    assert.equal(json.failed, failed);
    const header = answer.headers['batch-failed'];
    if (header !== undefined) assert.equal(header, String(failed));
    return json;
  }

  const put = (values: Readonly<Record<string, Uint8Array | string>>, options = {}) =>
    batch('put', {
      items: Object.entries(values).map(([key, value]) => ({
        key,
        value: Buffer.from(value).toString('base64'),
      })),
      ...options,
    });

  async function refused(
    operation: `${Operation}${string}`,
    body: Uint8Array | string,
    status: number,
    slug: ProblemSlug,
    headers?: Record<string, string>,
  ): Promise<string> {
    const answer = await post(operation, body, headers);
    const text = answer.body.toString();
    assert.equal(answer.status, status, `${body.slice(0, 200).toString()} → ${text.slice(0, 500)}`);
    const problem = JSON.parse(text) as { type: string; detail: string };
    assert.equal(problem.type, `/problems/${slug}`, text);
    return problem.detail;
  }

  return { post, batch, put, refused };
}

/** Returns key, status and code of each item. */
export const reported = ({ items }: BatchAnswer) =>
  items.map(({ key, status, code }) => [key, status, code]);
