import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { MetricJson } from '../../../src/messages/protocol.ts';
import { renderPool } from '../../../src/metrics/aggregation.ts';
import { HttpMetrics } from '../../../src/metrics/http.ts';
import { OutcomeMetrics } from '../../../src/metrics/outcomes.ts';
import { poolMetrics } from '../../../src/metrics/pool.ts';
import { createRegistry } from '../../../src/metrics/registry.ts';
import { totalsOf } from '../../../src/metrics/totals.ts';
import type { PoolSource } from '../../../src/store/pool/pool-source.ts';

/** The metrics of a worker that has served these requests: route, method, status, seconds. */
function worker(
  requests: readonly [string, string, number, number][],
  capacity?: object,
): Promise<MetricJson[]> {
  const registry = createRegistry();
  const metrics = new HttpMetrics(registry, () => 0);
  const outcomes = new OutcomeMetrics(registry, (route, method) => metrics.requests(route, method));
  if (capacity !== undefined) {
    poolMetrics(registry, { capacity: () => Promise.resolve(capacity) } as PoolSource);
  }
  for (const [route, method, status, seconds] of requests) {
    metrics.observe(route, method, status, seconds, 10, 1000);
    if (route.startsWith('/v1/batch/')) {
      outcomes.batch(route, 10, new Map([['object-not-found', 3] as const, ['arena-full', 1]]));
    } else if (status >= 400) {
      outcomes.singleFailed(route, method, status === 404 ? 'object-not-found' : 'arena-full');
    }
  }
  return registry.getMetricsAsJSON();
}

const own = {
  version: '1',
  workers: [],
  waitingConnections: 0,
  fallbackConnections: 0,
  fallbackResponses: new Map<number, number>(),
};

describe('the totals of the pool', () => {
  it('have the requests for objects, layers and batches, and the hits and misses of single reads and of batches', async () => {
    const metrics = await worker([
      ['/v1/objects/{key}', 'GET', 200, 0.001],
      ['/v1/objects/{key}', 'GET', 206, 0.001],
      ['/v1/objects/{key}', 'HEAD', 304, 0.001],
      ['/v1/objects/{key}', 'GET', 404, 0.02],
      ['/v1/objects/{key}', 'GET', 503, 20],
      ['/v1/objects/{key}', 'PUT', 201, 0.001],
      ['/v1/objects/{key}', 'DELETE', 404, 0.001],
      ['/v1/layers/{key}', 'GET', 404, 0.001],
      ['/v1/info/{key}', 'GET', 200, 0.001],
      ['/v1/batch/get', 'POST', 200, 0.001],
      ['/v1/batch/info', 'POST', 200, 0.001],
      ['/v1/batch/exists', 'POST', 200, 0.001],
      ['/v1/batch/remove', 'POST', 200, 0.001],
      ['/v1/keys', 'GET', 200, 0.001],
      ['/metrics', 'GET', 200, 0.001],
      ['/', 'GET', 404, 0.001],
    ]);
    const { hits, misses, requests, seconds, buckets, receivedBytes, sentBytes } = totalsOf({
      ...{ live: [metrics], silent: [], ended: [] },
    });
    assert.deepEqual({ hits, misses, requests }, { hits: 4 + 12, misses: 2 + 6, requests: 13 });
    assert.ok(Math.abs(seconds - 20.031) < 1e-9, String(seconds));
    assert.deepEqual([receivedBytes, sentBytes], [160, 16_000]);
    assert.deepEqual(buckets[0], { seconds: 0.005, count: 11 });
    assert.deepEqual(buckets.slice(-2), [
      { seconds: 10, count: 12 },
      { seconds: Number.POSITIVE_INFINITY, count: 13 },
    ]);
  });

  it('do not fall when a worker ends, before and after its metrics are added up', async () => {
    const read: [string, string, number, number] = ['/v1/objects/{key}', 'GET', 200, 0.001];
    const [a, b, c] = [await worker([read]), await worker([read, read]), await worker([read])];
    const all = totalsOf({ live: [a, b], silent: [c], ended: [] });
    assert.equal(all.requests, 4);
    assert.deepEqual(totalsOf({ live: [], silent: [a], ended: [b, c] }), all);
    const { ended } = await renderPool({ live: [], silent: [], ended: [b, c] }, own);
    const later = totalsOf({ live: [a], silent: [], ended: [ended] });
    assert.deepEqual({ ...later, seconds: 0 }, { ...all, seconds: 0 });
    assert.ok(Math.abs(later.seconds - all.seconds) < 1e-5);
  });

  it('have the pool once, from the first worker that knows it, and not from an ended one', async () => {
    const bytes = { medium: 'DRAM', totalBytes: 100, usedBytes: 40, freeBytes: 60 };
    const knowing = await worker([], { media: [bytes], objects: 3 });
    const without = await worker([]);
    const media = [{ medium: 'DRAM', totalBytes: 100, usedBytes: 40 }];
    const found = totalsOf({ live: [without, knowing, knowing], silent: [], ended: [] });
    assert.deepEqual([found.media, found.objects], [media, 3]);
    const ended = totalsOf({ live: [without], silent: [], ended: [knowing] });
    assert.deepEqual([ended.media, ended.objects], [[], null]);
  });
});
