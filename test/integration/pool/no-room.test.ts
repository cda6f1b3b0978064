/** 507 in a pool whose figures the gateway knows: of the embedded engine, and of a meta service. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import {
  type FakeMetaService,
  json,
  silent,
  startMetaService,
} from '../../fixtures/meta-service.ts';
import { batchesOf } from '../../helpers/bodies/batches.ts';
import {
  createInjection,
  type Injection,
  injectingLibrary,
  underRules,
} from '../../helpers/engine/injecting.ts';
import { clientOf } from '../../helpers/http/checked-client.ts';
import { withGateway } from '../../helpers/http/lanes.ts';
import { requestTo } from '../../helpers/http/requests.ts';
import { type ReadyGateway, startGateway } from '../../helpers/process/gateway.ts';
import { until } from '../../helpers/process/until.ts';

const mebibyte = 1 << 20;
const capacityBytes = 16 * mebibyte;
const threshold = {
  // A put that waited would exceed the time limit of the tests.
  args: ['--pool-bytes', '16MiB', '--put-wait-ms', '60000'],
  env: { MMC_EMBEDDED_EVICT: 'threshold' },
};

withGateway(threshold, (gateway) => {
  const { problem } = requestTo(gateway);
  const client = clientOf(gateway);
  const { post } = batchesOf(gateway);
  const fourMebibytes = { body: Buffer.alloc(4 * mebibyte) };

  describe('a put without room where the engine evicts nothing', { timeout: 30_000 }, () => {
    before(async () => {
      for (let i = 0; i < 13; i++) await client.put(`fill-${i}`, Buffer.alloc(mebibyte));
    });

    it('gets 507 at once, with figures, and without Retry-After', async () => {
      const { json: body, headers } = await problem('PUT', 'large', 507, 'no-room', fourMebibytes);
      const { neededBytes, freeBytes, retryable, detail } = body;
      assert.deepEqual(
        [neededBytes, freeBytes, body['capacityBytes'], retryable],
        [4 * mebibyte, 3 * mebibyte, capacityBytes, false],
      );
      assert.equal(headers['retry-after'], undefined);
      assert.match(String(detail), /Remove objects, store objects that fit the free bytes/);
    });

    it('is an item with the same members in a batch, each with what it needs itself', async () => {
      const form = new FormData();
      form.append('a', new Blob([Buffer.alloc(4 * mebibyte)]));
      form.append('b', new Blob([Buffer.alloc(5 * mebibyte)]));
      const answer = new Response(form);
      const type = answer.headers.get('content-type') ?? '';
      const body = Buffer.from(await answer.arrayBuffer());
      const { status, body: text } = await post('put', body, { 'content-type': type });
      assert.equal(status, 200);
      const { items } = JSON.parse(text.toString()) as { items: Record<string, unknown>[] };
      const told = items.map((item) => [
        ...[item['status'], item['retryable'], item['neededBytes'], item['freeBytes']],
      ]);
      assert.deepEqual(told, [
        [507, false, 4 * mebibyte, 3 * mebibyte],
        [507, false, 5 * mebibyte, 3 * mebibyte],
      ]);
    });

    it('can store objects that fit the free bytes, as the advice says', async () => {
      for (const key of ['one', 'two']) await client.put(key, Buffer.alloc(mebibyte));
    });

    it('finds room once more than 90 % are in use', async () => {
      // 15 of 16 MiB: the engine evicts in the background, and the put waits for it.
      await until(async () => {
        const status = await client.put('more', Buffer.alloc(mebibyte), { ifExists: 'replace' });
        return status === 'replaced';
      });
    });
  });
});

describe('a put without room in a pool with a meta service', () => {
  let meta: FakeMetaService;
  let gateway: ReadyGateway;
  let injection: Injection;
  before(async () => {
    meta = await startMetaService();
    injection = createInjection();
    const engine = await injectingLibrary();
    gateway = await startGateway({
      args: ['--engine', engine, '--meta-url', meta.url, '--put-wait-ms', '0'],
      env: injection.env,
    });
  });
  after(async () => {
    await gateway.kill();
    await meta.close();
    injection.dispose();
  });
  const { problem } = requestTo(() => gateway);
  const refused = () => problem('PUT', 'refused', 507, 'no-room', { body: 'four' });
  const usedOf = (cpu: number) =>
    json({
      ...{ timestamp: 0, data_source_ready: true, degraded: false },
      cpu: { total_bytes: 1000, used_bytes: cpu },
    });
  const full = [{ on: ['put', 'batch_put'], code: -1 }] as const;

  it('has no figures until the meta service has reported, and never waits for it', async () => {
    meta.play({ '/metrics': silent, '/api/v1/capacity/usage': silent });
    await underRules(injection, gateway.url, full, async () => {
      const { json: body, headers } = await refused();
      assert.equal(body['neededBytes'], undefined);
      assert.equal(body['retryable'], true);
      assert.equal(headers['retry-after'], '2');
    });
  });

  it('has the figures of the meta service, and is retryable above 90 % only', async () => {
    for (const [used, retryable] of [
      [900, false],
      [901, true],
    ] as const) {
      meta.play({ '/metrics': silent, '/api/v1/capacity/usage': usedOf(used) });
      await underRules(injection, gateway.url, full, () =>
        until(async () => {
          const { json: body } = await refused();
          if (body['freeBytes'] !== 1000 - used) return false;
          assert.deepEqual([body['neededBytes'], body['capacityBytes']], [4, 1000]);
          assert.equal(body['retryable'], retryable);
          return true;
        }),
      );
    }
  });
});
