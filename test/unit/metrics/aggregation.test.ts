import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { MetricJson } from '../../../src/messages/protocol.ts';
import { renderPool } from '../../../src/metrics/aggregation.ts';
import { handshakeMetrics } from '../../../src/metrics/handshakes.ts';
import { poolMetrics } from '../../../src/metrics/pool.ts';
import type { PoolSource } from '../../../src/store/pool/pool-source.ts';

const own = {
  version: '1.2.3',
  workers: [],
  waitingConnections: 0,
  fallbackConnections: 0,
  fallbackResponses: new Map<number, number>(),
};

/** The metrics of a worker whose pool has evicted so many objects. */
async function workerWith(evictions: number): Promise<MetricJson[]> {
  const found: { get(): Promise<unknown> }[] = [];
  const pool = { capacity: () => Promise.resolve({ media: [], evictions }) };
  const sink = { registerMetric: (metric: unknown) => found.push(metric as (typeof found)[0]) };
  poolMetrics(sink, pool as unknown as PoolSource);
  return (await Promise.all(found.map((metric) => metric.get()))) as MetricJson[];
}

async function evictionsOf(samples: Parameters<typeof renderPool>[0]): Promise<string | undefined> {
  const { body } = await renderPool(samples, own);
  return /^memcache_gateway_pool_evictions_total (\d+)$/m.exec(body)?.[1];
}

describe('the failed handshakes', () => {
  it('are those of all workers and of the supervisor, once in each scrape', async () => {
    const found: { get(): Promise<unknown> }[] = [];
    const sink = { registerMetric: (metric: unknown) => found.push(metric as (typeof found)[0]) };
    const count = handshakeMetrics(sink, ['plain_http', 'closed']);
    count('plain_http');
    const worker = (await Promise.all(found.map((metric) => metric.get()))) as MetricJson[];
    const handshakeFaults = new Map([['plain_http', 2]]);
    let ended = [worker];
    for (let scrape = 0; scrape < 2; scrape += 1) {
      const samples = { live: [worker], silent: [], ended };
      const rendered = await renderPool(samples, { ...own, handshakeFaults });
      const lines = rendered.body.split('\n').filter((line) => line.includes('handshakes_failed'));
      assert.deepEqual(lines.slice(2), [
        'memcache_gateway_tls_handshakes_failed_total{reason="plain_http"} 4',
        'memcache_gateway_tls_handshakes_failed_total{reason="closed"} 0',
      ]);
      ended = [rendered.ended];
    }
  });
});

describe('the figures of the pool in the sum over workers', () => {
  it('are those of one worker that responds, and of no other', async () => {
    const [seven, eight] = await Promise.all([workerWith(7), workerWith(8)]);
    const none = { live: [], silent: [], ended: [] };
    assert.equal(await evictionsOf({ ...none, live: [seven, eight] }), '7');
    assert.equal(await evictionsOf({ live: [eight], silent: [seven], ended: [seven] }), '8');
    assert.equal(await evictionsOf({ ...none, silent: [seven] }), undefined);
    assert.equal(await evictionsOf({ ...none, ended: [seven] }), undefined);
  });
});
