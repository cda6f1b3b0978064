/** The bodies of batch puts, with the position where each value is complete, and the responses to batch gets. */
import assert from 'node:assert/strict';
import { formOf, readMixed } from '../helpers/bodies/multipart.ts';
import { readSafetensors, safetensorsOf } from '../helpers/bodies/safetensors.ts';
import type { Answer } from './http.ts';
import type { Random } from './values.ts';
import type { IfExists, Reported } from './verdicts.ts';

export const codings = ['json', 'multipart', 'safetensors'] as const;
export type Coding = (typeof codings)[number];

/** An item of a response; a successful item of a get has its bytes. */
export interface Item extends Reported {
  readonly key: string;
  readonly code?: number | null;
  readonly size?: number;
  readonly exists?: boolean;
  readonly bytes?: Buffer;
}

export type Named = readonly [key: string, bytes: Buffer];

export interface PutBody {
  readonly path: string;
  readonly type: string;
  readonly body: Buffer;
  /** For each value, the part of the body in bytes that must arrive before the value may be stored. */
  readonly wholeAt: readonly number[];
}

const BOUNDARY = 'a-boundary-that-no-value-has';

export function putBody(
  coding: Coding,
  values: readonly Named[],
  ifExists: IfExists,
  random: Random,
): PutBody {
  const path = '/v1/batch/put';
  if (coding === 'json') {
    const items = values.map(([key, bytes]) => ({ key, value: bytes.toString('base64') }));
    const body = Buffer.from(JSON.stringify({ items, ifExists }));
    // The gateway stores nothing before the whole JSON body is valid.
    return { path, type: 'application/json', body, wholeAt: values.map(() => body.length) };
  }
  const query = `${path}?ifExists=${ifExists}`;
  if (coding === 'safetensors') {
    const body = safetensorsOf(values);
    let at = body.length - values.reduce((sum, [, bytes]) => sum + bytes.length, 0);
    const wholeAt = values.map(([, bytes]) => {
      at += bytes.length;
      return at;
    });
    return { path: query, type: 'application/vnd.safetensors', body, wholeAt };
  }
  // A value is complete with the delimiter behind it, with which the next part begins.
  const forms = values.map(([key, bytes]) =>
    formOf(BOUNDARY, [
      [key, bytes, random.chance(0.3) ? `Content-Length: ${bytes.length}\r\n` : ''],
    ]),
  );
  const delimiter = BOUNDARY.length + 2;
  let at = 0;
  const parts = forms.map((form) => form.subarray(0, form.length - delimiter - 4));
  const wholeAt = parts.map((part) => {
    at += part.length;
    return at + delimiter;
  });
  const body = Buffer.concat([...parts, Buffer.from(`--${BOUNDARY}--\r\n`)]);
  return { path: query, type: `multipart/form-data; boundary=${BOUNDARY}`, body, wholeAt };
}

export const acceptOf: Readonly<Record<Coding, string>> = {
  json: 'application/json',
  multipart: 'multipart/mixed',
  safetensors: 'application/vnd.safetensors',
};

/** Returns the items of a response; checks their order and the number of failures. */
export function itemsOf(coding: Coding, keys: readonly string[], answer: Answer): Item[] {
  const [items, failed] = readers[coding](answer, keys);
  assert.deepEqual(
    items.map(({ key }) => key),
    keys,
  );
  assert.equal(failed, items.filter(({ status }) => status >= 400).length);
  const header = answer.headers['batch-failed'];
  if (header !== undefined) assert.equal(header, String(failed));
  return items;
}

type Reader = (answer: Answer, keys: readonly string[]) => [items: Item[], failed: number];

const readers: Readonly<Record<Coding, Reader>> = {
  json({ body }) {
    type JsonItem = Item & { readonly value?: string };
    const answer = JSON.parse(body.toString()) as { items: JsonItem[]; failed: number };
    const items = answer.items.map(({ value, ...item }) => {
      if (value === undefined) return item;
      const bytes = Buffer.from(value, 'base64');
      assert.equal(bytes.length, item.size);
      assert.equal(value.length, Math.ceil(bytes.length / 3) * 4);
      return { ...item, bytes };
    });
    return [items, answer.failed];
  },

  multipart({ headers, body }) {
    const parts = readMixed(headers['content-type'], body);
    const last = parts.pop();
    const { failed } = JSON.parse(last?.body.toString() ?? '') as { failed: number };
    const items = parts.map((part): Item => {
      const location = part.headers['content-location'] ?? '';
      assert.ok(location.startsWith('/v1/objects/'), location);
      const key = decodeURIComponent(location.slice('/v1/objects/'.length));
      const status = Number(part.headers['memcache-status']);
      if (status === 200) return { key, status, bytes: part.body };
      const problem = JSON.parse(part.body.toString()) as Reported;
      assert.equal(problem.status, status);
      return { ...problem, key };
    });
    return [items, failed];
  },

  safetensors({ headers, body }, keys) {
    assert.equal(headers['content-length'], String(body.length));
    const { tensors, metadata } = readSafetensors(body);
    const failures = JSON.parse(metadata['failures'] ?? '[]') as Item[];
    assert.equal(tensors.size + failures.length, keys.length);
    const waiting = [...failures];
    const found = [...tensors];
    const items = keys.map((key): Item => {
      const [name, bytes] = found[0] ?? [];
      if (name !== key || bytes === undefined) return waiting.shift() ?? { key, status: 0 };
      found.shift();
      return { key, status: 200, bytes };
    });
    return [items, Number(metadata['failed'])];
  },
};
