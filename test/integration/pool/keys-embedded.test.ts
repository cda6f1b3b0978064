/** GET /v1/keys on the embedded engine, with another program in the pool. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { openStore, type Store } from '../../../src/node-store/index.ts';
import { clientOf } from '../../helpers/http/checked-client.ts';
import { openOwnConnection } from '../../helpers/http/own-connection.ts';
import { requestTo } from '../../helpers/http/requests.ts';
import { type ReadyGateway, startGateway } from '../../helpers/process/gateway.ts';

interface Page {
  readonly keys: string[];
  readonly binaryKeys?: string[];
  readonly cursor?: string;
}

const pool = `keys-test-${process.pid}`;
let gateway: ReadyGateway;
let store: Store;
before(async () => {
  const args = ['--pool-name', pool, '--devices', '0,1', '--ready-when', 'all'];
  gateway = await startGateway({ args });
  process.env['MMC_EMBEDDED_POOL'] = pool;
  process.env['MMC_EMBEDDED_BYTES'] = String(8 << 20);
  store = await openStore({ arenaBytes: 1 << 20, device: 2 });
});
after(async () => {
  await store.close();
  await gateway.kill();
  // A killed gateway leaves a pool with a name for other programs.
  rmSync(`/dev/shm/${pool}`);
});

const { request } = requestTo(() => gateway);
const client = clientOf(() => gateway);
async function page(query: Record<string, string>): Promise<Page> {
  const { status, body } = await request('GET', `?${new URLSearchParams(query)}`, {}, '/v1/keys');
  assert.equal(status, 200, body.toString());
  return JSON.parse(body.toString()) as Page;
}

async function allKeys(query: Record<string, string>): Promise<string[]> {
  const keys: string[] = [];
  let next = await page(query);
  for (;;) {
    keys.push(...next.keys);
    const { cursor } = next;
    if (cursor === undefined) return keys;
    next = await page({ ...query, cursor });
  }
}

describe('GET /v1/keys on the embedded engine', () => {
  it('lists the keys of all programs of the pool, sorted by their bytes, in pages', async () => {
    assert.deepEqual(await page({}), { keys: [] });
    const names = Array.from({ length: 250 }, (_, i) => `kv/${(i * 7919) % 250}`);
    const put = await client.putMany(names.map((name) => [name, 'x'] as const));
    assert.ok(put.every(({ ok }) => ok));
    await store.put('other/ü', Buffer.from('x'));
    const sorted = [...names, 'other/ü'].sort((a, b) =>
      Buffer.compare(Buffer.from(a), Buffer.from(b)),
    );
    assert.deepEqual(await allKeys({}), sorted);
    assert.equal((await page({})).keys.length, 100);
    for (const limit of ['1000', '251', '250', '37'])
      assert.deepEqual(await allKeys({ limit }), sorted);
    const ones = sorted.filter((name) => name.startsWith('kv/1'));
    assert.deepEqual(await allKeys({ prefix: 'kv/1', limit: '10' }), ones);
    assert.deepEqual(await page({ prefix: 'other/' }), { keys: ['other/ü'] });
    assert.deepEqual(await page({ limit: '251' }), { keys: sorted });
    assert.ok((await page({ limit: '250' })).cursor);
  });

  it('continues at any worker', async () => {
    const connections = [openOwnConnection(gateway.url), openOwnConnection(gateway.url)];
    try {
      const devices = new Set<number>();
      let query = 'limit=90';
      for (let turn = 0; turn < 3; turn++) {
        const connection = connections[turn % 2];
        assert.ok(connection);
        devices.add(await connection.device());
        const { status, body } = await connection.ask('GET', `/v1/keys?${query}`);
        assert.equal(status, 200, body);
        const { cursor } = JSON.parse(body) as Page;
        query = `limit=90&cursor=${cursor}`;
        assert.equal(cursor === undefined, turn === 2);
      }
      assert.equal(devices.size, 2);
    } finally {
      for (const connection of connections) connection.close();
    }
  });

  it('has keys with control bytes in base64', async () => {
    const key = 'kv/\u0001';
    await store.put(key, Buffer.from('x'));
    const { keys, binaryKeys } = await page({ limit: '1', prefix: 'kv/' });
    assert.deepEqual([keys, binaryKeys], [[], [Buffer.from(key).toString('base64')]]);
    await store.delete(key);
    assert.equal('binaryKeys' in (await page({ limit: '1', prefix: 'kv/' })), false);
  });

  it('goes on behind a key that was removed', async () => {
    const { keys, cursor = '' } = await page({ limit: '5', prefix: 'kv/' });
    await client.deleteMany(keys);
    const { keys: next } = await page({ limit: '1', prefix: 'kv/', cursor });
    assert.ok((next[0] ?? '') > (keys.at(-1) ?? ''));
    assert.deepEqual((await page({ limit: '1', prefix: 'kv/' })).keys, next);
  });
});

describe('a page that exceeds the memory of one client', () => {
  it('is shorter than its limit, and its cursor leads to the rest', async () => {
    const names = Array.from({ length: 300 }, (_, i) => `long/${String(i).padStart(3, '0')}`);
    // One client may hold 256 KiB of texts, and a page takes 1 KiB for each key.
    const own = await startGateway({ args: ['--batch-json-bytes', '64KiB'] });
    const ask = async (query: string): Promise<Page> => {
      const response = await fetch(`${own.url}/v1/keys?limit=1000&prefix=long/${query}`);
      assert.equal(response.status, 200);
      return (await response.json()) as Page;
    };
    for (const name of names) {
      await fetch(`${own.url}/v1/objects/${name}`, { method: 'PUT', body: 'x' });
    }
    const { keys, cursor } = await ask('');
    assert.deepEqual(keys, names.slice(0, 256));
    assert.deepEqual(await ask(`&cursor=${cursor}`), { keys: names.slice(256) });
    await own.kill();
  });
});
