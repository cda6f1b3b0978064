/** /v1/cluster on the embedded engine, which reports by itself; two workers have one pool. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { clientOf } from '../../helpers/http/checked-client.ts';
import { withGateway } from '../../helpers/http/lanes.ts';
import { requestTo } from '../../helpers/http/requests.ts';
import { metricsOf } from '../../helpers/process/metrics.ts';

const mebibyte = 1 << 20;
const args = ['--devices', '0,1', '--ready-when', 'all', '--pool-bytes', '16MiB'];

withGateway({ args }, (gateway) => {
  const { request } = requestTo(gateway);
  const client = clientOf(gateway);
  const report = async (what: string): Promise<Record<string, unknown>> => {
    const { status, body } = await request('GET', what, {}, '/v1/cluster/');
    assert.equal(status, 200, body.toString());
    return JSON.parse(body.toString()) as Record<string, unknown>;
  };

  describe('/v1/cluster on the embedded engine', () => {
    it('reports the bytes and the objects of the whole pool', async () => {
      const totalBytes = 32 * mebibyte;
      const empty = { medium: 'DRAM', totalBytes, usedBytes: 0, freeBytes: totalBytes };
      assert.deepEqual(await report('capacity'), { media: [empty], objects: 0, evictions: 0 });
      await client.put('one', Buffer.alloc(mebibyte));
      await client.put('small', 'x');
      const usedBytes = mebibyte + 256;
      const used = { ...empty, usedBytes, freeBytes: totalBytes - usedBytes };
      assert.deepEqual(await report('capacity'), { media: [used], objects: 2, evictions: 0 });
      assert.deepEqual(await report('health'), { status: 'ok' });
    });

    it('reports the segment of each worker', async () => {
      const { segments } = (await report('segments')) as { segments: Record<string, unknown>[] };
      assert.deepEqual(
        segments.map(({ serviceId, medium, totalBytes }) => [serviceId, medium, totalBytes]),
        [
          [0, 'DRAM', 16 * mebibyte],
          [1, 'DRAM', 16 * mebibyte],
        ],
      );
      const used = segments.reduce((sum, { usedBytes }) => sum + Number(usedBytes), 0);
      assert.equal(used, mebibyte + 256);
    });

    it('counts the pool once in the metrics, though two workers report it', async () => {
      const found = await metricsOf(gateway().url);
      const pool = 'memcache_gateway_pool_';
      assert.equal(found.get(`${pool}capacity_bytes{medium="DRAM"}`), 32 * mebibyte);
      assert.equal(found.get(`${pool}used_bytes{medium="DRAM"}`), mebibyte + 256);
      assert.equal(found.get(`${pool}free_bytes{medium="DRAM"}`), 31 * mebibyte - 256);
      assert.equal(found.get(`${pool}objects`), 2);
      assert.equal(found.get(`${pool}up`), 1);
    });

    it('counts evictions', async () => {
      for (let i = 0; i < 40; i++) await client.put(`fill-${i}`, Buffer.alloc(mebibyte));
      const { objects, evictions } = await report('capacity');
      assert.ok(Number(evictions) > 0);
      assert.equal(Number(objects) + Number(evictions), 42);
      const found = await metricsOf(gateway().url);
      assert.equal(found.get('memcache_gateway_pool_evictions_total'), evictions);
    });
  });
});
