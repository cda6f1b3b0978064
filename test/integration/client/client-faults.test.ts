/** The client on a gateway whose engine fails. */
import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { type Client, createClient } from '../../../packages/client/src/index.ts';
import { textOf } from '../../helpers/bodies/text.ts';
import {
  createInjection,
  type Injection,
  injectingLibrary,
  type Rule,
  underRules,
} from '../../helpers/engine/injecting.ts';
import { clientOf } from '../../helpers/http/checked-client.ts';
import { type ReadyGateway, startGateway } from '../../helpers/process/gateway.ts';
import { metric, usedBlocks } from '../../helpers/process/metrics.ts';
import { until } from '../../helpers/process/until.ts';

const mebibyte = 1 << 20;

describe('the client on a gateway whose engine fails', () => {
  let gateway: ReadyGateway;
  let injection: Injection;
  let client: Client;
  before(async () => {
    injection = createInjection();
    gateway = await startGateway({
      // Windows of 4 MiB, an eighth of the arena.
      args: [
        '--engine',
        await injectingLibrary(),
        '--arena-bytes',
        '32MiB',
        '--deadline-ms',
        '400',
      ],
      env: { ...injection.env, GATEWAY_DEBUG_ARENA: '1' },
    });
    client = createClient({ baseUrl: gateway.url, retryDelayMs: 1 });
  });
  after(async () => {
    await gateway.kill();
    injection.dispose();
  });

  async function stored(count: number, bytes: number): Promise<string[]> {
    const stem = randomUUID();
    const pairs = Array.from(
      { length: count },
      (_, i) => [`${stem}/${i}`, randomBytes(bytes)] as const,
    );
    const results = await clientOf(() => gateway).putMany(pairs);
    assert.ok(results.every(({ ok }) => ok));
    return pairs.map(([key]) => key);
  }

  async function under(rules: readonly Rule[], work: () => Promise<unknown>): Promise<void> {
    await underRules(injection, gateway.url, rules, work);
  }

  it('rejects or retries when a response is cut off', async () => {
    const keys = await stored(6, 3 * mebibyte);
    const broken = { name: 'TypeError' };
    // An unchanged rule goes on counting, so all rules here are different.
    await under([{ on: 'batch_get', itemCode: -3010, after: 1 }], () =>
      assert.rejects(clientOf(() => gateway).getMany(keys), broken),
    );
    await under([{ on: 'batch_get', itemCode: -3009, after: 1 }], async () => {
      const seen: string[] = [];
      const reading = async () => {
        for await (const { key, ok } of client.getEach(keys)) {
          assert.ok(ok);
          seen.push(key);
        }
      };
      await assert.rejects(reading(), broken);
      assert.deepEqual(seen, keys.slice(0, seen.length));
      assert.ok(seen.length > 0 && seen.length < keys.length);
    });
    await under([{ on: 'batch_get', itemCode: -3010, nth: 2 }], async () => {
      const results = await client.getMany(keys);
      assert.ok(results.every(({ ok }) => ok));
    });
    await client.deleteMany(keys);
  });

  it('reports the items that failed before the response began', async () => {
    const keys = await stored(3, 10);
    const prefix = keys[1] as string;
    await under([{ on: 'batch_get', itemCode: -3010, prefix }], async () => {
      const [before, failed, after] = await client.getMany(keys);
      assert.ok(before?.ok && after?.ok && failed?.ok === false);
      const { problem, status, errno, retryable } = failed.error;
      assert.deepEqual(
        { problem, status, errno, retryable },
        { problem: 'engine-network-fault', status: 502, errno: -3010, retryable: true },
      );
    });
  });

  it('retries a retryable refusal of a whole request and of its only item', async () => {
    const [key] = (await stored(1, 10)) as [string];
    await client.put('..', 'value');
    await under([{ on: 'batch_exist', hang: true, first: 1 }], async () => {
      assert.deepEqual(await client.hasMany([key]), [{ ok: true, exists: true }]);
    });
    await under([{ on: ['get', 'batch_get'], code: -3014, first: 1 }], async () => {
      assert.equal(textOf(await client.get('..')), 'value');
    });
    await client.delete('..');
  });

  it('ends an aborted put while the engine holds its values', async () => {
    const controller = new AbortController();
    const value = randomBytes(4 * mebibyte);
    const pairs = Array.from({ length: 12 }, () => [randomUUID(), value] as const);
    await under([{ on: 'batch_put', hang: true }], async () => {
      const put = client.putMany(pairs, { signal: controller.signal });
      put.catch(() => undefined);
      await until(async () => (await metric(gateway.url, usedBlocks)) > 2);
      controller.abort(new Error('enough'));
      await assert.rejects(put, /enough/);
    });
  });

  it('does not retry a put after a 502 of a proxy that had forwarded it', async () => {
    const proxy = createServer((req, res) => {
      const onward = request(
        new URL(req.url ?? '', gateway.url),
        { method: req.method, headers: req.headers },
        (answer) => answer.resume().on('end', () => res.writeHead(502).end('<h1>Bad gateway</h1>')),
      );
      req.pipe(onward);
    });
    await once(proxy.listen(0, '127.0.0.1'), 'listening');
    const { port } = proxy.address() as AddressInfo;
    const behind = createClient({ baseUrl: `http://127.0.0.1:${port}`, retryDelayMs: 1 });
    const key = randomUUID();
    try {
      await assert.rejects(behind.put(key, 'x'), { problem: 'status-502', retryable: false });
    } finally {
      proxy.closeAllConnections();
      proxy.close();
    }
    assert.equal((await client.info(key))?.size, 1);
    await client.delete(key);
  });
});

describe('the client on a gateway whose worker dies', () => {
  let gateway: ReadyGateway;
  before(async () => {
    gateway = await startGateway();
  });
  after(() => gateway.kill());

  it('waits for the worker that replaces a dead one', async () => {
    process.kill(gateway.workerPid() ?? assert.fail('no worker'), 'SIGKILL');
    const ready = async () => (await fetch(`${gateway.url}/readyz`)).status;
    await until(async () => (await ready().catch(() => 0)) === 503);
    const patient = clientOf(() => gateway, { retries: 20, retryDelayMs: 50 });
    const results = await patient.putMany([[randomUUID(), 'x']]);
    assert.deepEqual(results, [{ ok: true, outcome: 'created' }]);
  });
});
