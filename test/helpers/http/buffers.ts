/** Requests for shared buffers, over a Unix socket or to a loopback address. */
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import type { ProblemSlug } from '../../../src/errors/problems.ts';
import { requestChecked } from '../openapi/openapi.ts';

/** Of an item, a buffer, a list or a problem. */
interface Members {
  readonly status: number;
  readonly code: number | null;
  readonly size: number;
  readonly outcome: string;
  readonly copied: true;
  readonly type: string;
  readonly detail: string;
  readonly name: string;
  readonly state: string;
  readonly inFlight: number;
  readonly sinceMs: number;
  readonly ttlMs: number | null;
  readonly owner: { readonly uid: number | null; readonly pid: number | null };
  readonly workers: readonly { readonly device: number; readonly state: string }[];
  readonly buffers: readonly Json[];
  readonly items: readonly Json[];
}
export type Json = Partial<Members>;

export interface Answer {
  readonly status: number;
  readonly json: Json;
}

export interface BufferItem {
  readonly key: string;
  readonly offset?: number;
  readonly size?: number;
  readonly layers?: readonly { readonly offset: number; readonly size: number }[];
}

const folder = mkdtempSync(path.join(tmpdir(), 'buffers-'));
// Clients of another user connect too.
chmodSync(folder, 0o755);
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
let sockets = 0;

/** A new path for the socket of a gateway. */
export const socketFile = (): string => path.join(folder, `${++sockets}.sock`);

/** All responses are checked against openapi.yaml. */
export function buffersOf(origin: string, headers: Record<string, string> = {}) {
  async function request(method: string, where: string, body?: unknown): Promise<Answer> {
    const hasBody = body !== undefined;
    const response = await requestChecked(origin, {
      method,
      path: `/v1/buffers${where}`,
      headers: { ...headers, ...(hasBody && { 'Content-Type': 'application/json' }) },
      ...(hasBody && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = response.body.toString();
    const json = (text === '' ? {} : JSON.parse(text)) as Answer['json'];
    return { status: response.status, json };
  }

  async function refused(
    status: number,
    slug: ProblemSlug,
    ...what: Parameters<typeof request>
  ): Promise<string> {
    const answer = await request(...what);
    const label = `${what[0]} ${what[1]} → ${JSON.stringify(answer)}`;
    assert.equal(answer.status, status, label);
    assert.equal(answer.json.type, `/problems/${slug}`, label);
    return answer.json.detail ?? '';
  }

  async function transfer(
    operation: 'put' | 'get',
    name: string,
    items: readonly BufferItem[],
    more: object = {},
  ): Promise<readonly Json[]> {
    const { status, json } = await request('POST', `/${name}/${operation}`, { items, ...more });
    assert.equal(status, 200, JSON.stringify(json));
    return json.items ?? [];
  }

  return {
    request,
    refused,
    /** Registers memory, and expects 201. */
    async register(name: string, shmKey: string, byteSize: number, more: object = {}) {
      const { status, json } = await request('PUT', `/${name}`, { shmKey, byteSize, ...more });
      assert.equal(status, 201, JSON.stringify(json));
      return json;
    },
    put: (name: string, items: readonly BufferItem[], more?: object) =>
      transfer('put', name, items, more),
    get: (name: string, items: readonly BufferItem[], more?: object) =>
      transfer('get', name, items, more),
  };
}

/** Whether a process has shared memory of this name in its address space. */
export const hasMapped = (pid: number, shmKey: string): boolean =>
  readFileSync(`/proc/${pid}/maps`, 'utf8').includes(`/dev/shm${shmKey}`);

interface Worker {
  readonly pid: number;
  readonly state: string;
}

/** The workers of a gateway, in the order of their devices. */
export async function workersOf(url: string): Promise<readonly Worker[]> {
  const response = await fetch(`${url}/v1/clients`);
  return ((await response.json()) as { clients: Worker[] }).clients;
}
