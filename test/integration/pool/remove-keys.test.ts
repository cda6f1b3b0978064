/** DELETE /v1/keys: removal by prefix, in batches of 128 keys because of the small text budget. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import net from 'node:net';
import { after, before, describe, it } from 'node:test';
import { type FakeMetaService, startMetaService, text } from '../../fixtures/meta-service.ts';
import { createInjection, injectingLibrary, type Rule } from '../../helpers/engine/injecting.ts';
import { clientOf } from '../../helpers/http/checked-client.ts';
import { withGateway } from '../../helpers/http/lanes.ts';
import { requestTo } from '../../helpers/http/requests.ts';
import { type ReadyGateway, startGateway } from '../../helpers/process/gateway.ts';
import { metricsOf, untilIdle } from '../../helpers/process/metrics.ts';
import { until } from '../../helpers/process/until.ts';

const args = ['--batch-json-bytes', '64KiB', '--deadline-ms', '1000'];
const batchKeys = 128;

/** How many items of removals by prefix there are with each outcome, beyond those before. */
async function itemsOf(
  { url }: ReadyGateway,
  before: Readonly<Record<string, number>> = {},
): Promise<Record<string, number>> {
  const outcome = /items_total\{http_route="\/v1\/keys",operation="remove",outcome="(.*)"\}/;
  const items = [...(await metricsOf(url))].flatMap(([name, value]) => {
    const [, found] = outcome.exec(name) ?? [];
    return found === undefined ? [] : [[found, value - (before[found] ?? 0)] as const];
  });
  return Object.fromEntries(items.filter(([, value]) => value !== 0));
}

/** The helpers of one gateway. */
function removalsOf(gateway: () => ReadyGateway) {
  const { request, problem } = requestTo(gateway);
  const client = clientOf(gateway);
  return {
    client,
    /** The lines of a removal. */
    async remove(query: string): Promise<Record<string, unknown>[]> {
      const { status, headers, body } = await request('DELETE', `?${query}`, {}, '/v1/keys');
      assert.equal(status, 200, body.toString());
      assert.equal(headers['content-type'], 'application/x-ndjson');
      const lines = body.toString().split('\n');
      assert.equal(lines.pop(), '');
      return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    },
    refused: (query: string) => problem('DELETE', query, 400, 'invalid-parameter', {}, '/v1/keys'),
    async store(prefix: string, count: number): Promise<string[]> {
      const keys = Array.from({ length: count }, (_, i) => `${prefix}${i}`);
      for (let from = 0; from < count; from += 100) {
        const part = keys.slice(from, from + 100).map((key) => [key, 'x'] as const);
        for (const { ok } of await client.putMany(part)) assert.ok(ok);
      }
      return keys;
    },
  };
}

withGateway({ args }, (gateway) => {
  const { client, remove, refused, store } = removalsOf(gateway);
  const { request, problem } = requestTo(gateway);
  const left = async (keys: readonly string[]) =>
    (await client.hasMany(keys)).filter((item) => item.ok && item.exists).length;

  describe('DELETE /v1/keys', () => {
    it('removes the objects with the prefix and no others, and reports its progress', async () => {
      const keys = await store('old/', 299);
      const others = await store('older/', 5);
      const lines = await remove('prefix=old/');
      assert.deepEqual(lines, [
        { matched: batchKeys, removed: batchKeys, failed: 0 },
        { matched: 2 * batchKeys, removed: 2 * batchKeys, failed: 0 },
        { matched: 299, removed: 299, failed: 0, dryRun: false },
      ]);
      assert.equal(await left(keys), 0);
      assert.equal(await left(others), 5);
      assert.deepEqual(await remove('prefix=old/'), [
        { matched: 0, removed: 0, failed: 0, dryRun: false },
      ]);
    });

    it('only counts with dryRun, also in the metrics', async () => {
      const before = await itemsOf(gateway());
      const keys = await store('counted/', batchKeys);
      for (const query of ['dryRun', 'dryRun=true', 'dryRun=1']) {
        assert.deepEqual(await remove(`prefix=counted/&${query}`), [
          { matched: batchKeys, removed: 0, failed: 0, dryRun: true },
        ]);
      }
      assert.equal(await left(keys), batchKeys);
      assert.deepEqual(await itemsOf(gateway(), before), {});
      const lines = await remove('prefix=counted/&dryRun=false');
      assert.equal(lines.at(-1)?.['removed'], batchKeys);
      assert.deepEqual(await itemsOf(gateway(), before), { ok: batchKeys });
    });

    it('needs a prefix, or all=true to remove all objects', async () => {
      const keys = await store('any/', 3);
      for (const query of ['', '?prefix=', '?all=false', '?prefix=&all=0', '?prefix=a&all=true']) {
        assert.match(String((await refused(query)).json['detail']), /all=true/);
      }
      for (const query of [
        '?all=maybe',
        '?prefix=a&dryRun=2',
        '?prefix=%ff',
        '?prefix=a&limit=1',
      ]) {
        await refused(query);
      }
      assert.equal(await left(keys), 3);
      const lines = await remove('all=true');
      assert.equal(lines.at(-1)?.['failed'], 0);
      assert.equal(await left(keys), 0);
      assert.deepEqual(await remove('all=true&dryRun'), [
        { matched: 0, removed: 0, failed: 0, dryRun: true },
      ]);
    });

    it('names its methods, takes no body, and sends only NDJSON', async () => {
      const { headers } = await problem('PUT', '', 405, 'method-not-allowed', {}, '/v1/keys');
      assert.equal(headers['allow'], 'GET, HEAD, DELETE');
      const body = { headers: { 'content-length': '1' }, body: 'x' };
      await problem('DELETE', '?prefix=a', 400, 'invalid-parameter', body, '/v1/keys');
      const json = { headers: { accept: 'application/json' } };
      await problem('DELETE', '?prefix=a', 406, 'not-acceptable', json, '/v1/keys');
      const ndjson = { headers: { accept: 'application/x-ndjson' } };
      assert.equal((await request('DELETE', '?prefix=a', ndjson, '/v1/keys')).status, 200);
    });
  });
});

describe('DELETE /v1/keys with a meta service', () => {
  const injection = createInjection();
  let meta: FakeMetaService;
  let gateway: ReadyGateway;
  before(async () => {
    meta = await startMetaService();
    const engine = ['--engine', await injectingLibrary(), '--meta-url', meta.url];
    gateway = await startGateway({ args: [...args, ...engine], env: injection.env });
  });
  after(async () => {
    await gateway.kill();
    await meta.close();
    injection.dispose();
  });
  const { remove, store } = removalsOf(() => gateway);
  const under = async (rules: readonly Rule[], work: () => Promise<void>) => {
    await injection.set(rules);
    await work().finally(() => injection.clear());
  };
  const list = (keys: readonly (string | Uint8Array)[]) =>
    meta.play({
      '/get_all_keys': text(
        Buffer.concat(keys.flatMap((key) => [Buffer.from(key), Buffer.from('\n')])),
      ),
    });

  it('counts keys that others have removed, that are not UTF-8, and that the engine refuses', async () => {
    const prefix = `${randomUUID()}/`;
    const keys = await store(prefix, 200);
    const binary = Buffer.concat([Buffer.from(prefix), Buffer.from([0xff])]);
    const before = await itemsOf(gateway);
    // The engine cannot name the key with a NUL, and refuses a batch with it as a whole.
    list([...keys, `${prefix}gone`, binary, `${prefix}x\0y`, 'another']);
    await under([{ on: 'batch_remove', itemCode: -3104, prefix: `${prefix}19` }], async () => {
      // 19 and 190 to 199 have that prefix.
      const lines = await remove(`prefix=${prefix}`);
      assert.deepEqual(lines.at(-1), { matched: 203, removed: 189, failed: 13, dryRun: false });
    });
    assert.deepEqual(await itemsOf(gateway, before), {
      ok: 189,
      'object-not-found': 1,
      'lease-active': 11,
      'invalid-key': 2,
    });
  });

  it('ends with a line that has the problem, if the engine or the list fails later', async () => {
    const prefix = `${randomUUID()}/`;
    list(await store(prefix, 300));
    const before = await itemsOf(gateway);
    await under([{ on: 'batch_remove', code: -3014, after: 1 }], async () => {
      const lines = await remove(`prefix=${prefix}`);
      const last = lines.at(-1) ?? {};
      assert.deepEqual([last['matched'], last['removed'], last['failed']], [300, 128, 172]);
    });
    await under([{ on: 'batch_remove', hang: true }], async () => {
      const [only, ...others] = await remove(`prefix=${prefix}`);
      assert.equal(others.length, 0);
      const { problem } = only as { problem: Record<string, unknown> };
      assert.equal(problem['type'], '/problems/engine-timeout');
      assert.equal('dryRun' in (only ?? {}), false);
    });
    assert.deepEqual(await itemsOf(gateway, before), {
      ok: 128,
      'engine-unavailable': 172,
      'engine-timeout': 128,
    });
    const { problem } = requestTo(() => gateway);
    meta.play({ '/get_all_keys': (response) => void response.destroy() });
    const unavailable = 'meta-service-unavailable';
    await problem('DELETE', `?prefix=${prefix}`, 503, unavailable, {}, '/v1/keys');
  });

  it('stops when the client disconnects', async () => {
    const prefix = `${randomUUID()}/`;
    list(Array.from({ length: 100 * batchKeys }, (_, i) => `${prefix}${i}`));
    const calls = () => injection.counters('batch_remove').started;
    const before = calls();
    const itemsBefore = await itemsOf(gateway);
    await under([{ on: 'batch_remove', delayOutsideUs: 20_000 }], async () => {
      const socket = net.connect(gateway.port, '127.0.0.1').on('error', () => undefined);
      socket.write(`DELETE /v1/keys?prefix=${prefix} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
      await new Promise((resolve) => socket.once('data', resolve));
      await until(() => calls() > before + 1);
      socket.resetAndDestroy();
      await untilIdle(gateway.url);
    });
    assert.ok(calls() - before < 90, String(calls() - before));
    const { aborted, ...others } = await itemsOf(gateway, itemsBefore);
    assert.equal(aborted, batchKeys);
    assert.deepEqual(Object.keys(others), ['object-not-found']);
  });

  it('ends early while the gateway stops', async () => {
    const prefix = `${randomUUID()}/`;
    list(Array.from({ length: 100 * batchKeys }, (_, i) => `${prefix}${i}`));
    await injection.set([{ on: 'batch_remove', delayOutsideUs: 20_000 }]);
    const url = `${gateway.url}/v1/keys?prefix=${prefix}`;
    const { body } = await fetch(url, { method: 'DELETE' });
    const reader = body?.getReader();
    assert.ok(reader);
    let lines = '';
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      if (lines === '') gateway.signal('SIGTERM');
      lines += Buffer.from(read.value).toString();
    }
    const last = JSON.parse(lines.trimEnd().split('\n').at(-1) ?? '') as Record<string, unknown>;
    const { type, retryable } = last['problem'] as Record<string, unknown>;
    assert.deepEqual([type, retryable], ['/problems/not-ready', true]);
    assert.deepEqual(await gateway.ended, { code: 0, signal: null });
  });
});
