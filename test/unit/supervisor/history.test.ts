import assert from 'node:assert/strict';
import { describe, it, mock } from 'node:test';
import { History, POINTS, type PoolTotals, SAMPLE_MS } from '../../../src/supervisor/history.ts';

const none: PoolTotals = {
  requests: 0,
  seconds: 0,
  buckets: [],
  receivedBytes: 0,
  sentBytes: 0,
  hits: 0,
  misses: 0,
  media: [],
  objects: null,
};

const bucketsOf = (small: number, large: number, slow = 0): PoolTotals['buckets'] => [
  { seconds: 0.005, count: small },
  { seconds: 10, count: small + large },
  { seconds: Number.POSITIVE_INFINITY, count: small + large + slow },
];

/** A history whose clock and totals the test sets. */
function historyOf(clock = { ms: 0 }) {
  let next: PoolTotals | Error = none;
  const failures: unknown[] = [];
  const history = new History({
    sample: () => (next instanceof Error ? Promise.reject(next) : Promise.resolve(next)),
    onFailure: (error) => void failures.push(error),
    now: () => clock.ms,
  });
  const sample = async (afterMs: number, totals: Partial<PoolTotals> | Error) => {
    clock.ms += afterMs;
    next = totals instanceof Error ? totals : { ...none, ...totals };
    await history.take();
    return history.recent().points.at(-1);
  };
  return { history, sample, failures, clock };
}

describe('the history of the pool', () => {
  it('has rates between two samples, by the time between them', async () => {
    const { sample } = historyOf();
    assert.equal(await sample(0, { requests: 100, sentBytes: 7 }), undefined, 'one has no rate');
    const point = await sample(20_000, {
      requests: 300,
      seconds: 0.4,
      receivedBytes: 2000,
      sentBytes: 4007,
      hits: 3,
      misses: 1,
      buckets: bucketsOf(99, 1),
      media: [
        { medium: 'DRAM', totalBytes: 300, usedBytes: 100 },
        { medium: 'HBM', totalBytes: 100, usedBytes: 0 },
      ],
    });
    assert.deepEqual(point, {
      agoMs: 0,
      requestsPerSecond: 10,
      receivedPerSecond: 100,
      sentPerSecond: 200,
      meanMs: 2,
      mostMs: 5,
      hitRatio: 0.75,
      usedRatio: 0.25,
    });
  });

  it('has no latency and no hit ratio without requests', async () => {
    const { sample } = historyOf();
    const totals = { requests: 5, seconds: 1, hits: 5, buckets: bucketsOf(5, 0) };
    await sample(0, totals);
    const { meanMs, mostMs, hitRatio, usedRatio } = (await sample(10_000, totals)) ?? {};
    assert.deepEqual([meanMs, mostMs, hitRatio, usedRatio], [null, null, null, null]);
  });

  it('takes the bucket that has 99 % of the new requests, and at most the last bound', async () => {
    const { sample } = historyOf();
    await sample(0, { requests: 1000, buckets: bucketsOf(1000, 0) });
    const more = (small: number, large: number, slow = 0) => ({
      buckets: bucketsOf(1000 + small, large, slow),
    });
    assert.equal((await sample(10_000, more(98, 2)))?.mostMs, 10_000);
    assert.equal((await sample(10_000, more(98 + 99, 3)))?.mostMs, 5);
    assert.equal((await sample(10_000, more(98 + 99, 3, 7)))?.mostMs, 10_000);
  });

  it('has no negative rate when a sum falls', async () => {
    const { sample } = historyOf();
    const totals = {
      requests: 50,
      seconds: 9,
      sentBytes: 80,
      hits: 4,
      misses: 4,
      buckets: bucketsOf(9, 9),
    };
    await sample(0, totals);
    const point = await sample(10_000, {});
    const numbers = Object.values(point ?? {}).filter((value) => value !== null);
    assert.ok(numbers.length >= 4 && numbers.every((value) => value >= 0), JSON.stringify(point));
  });

  it(`keeps ${POINTS} points, and none that is older than 15 minutes`, async () => {
    const { history, sample, clock } = historyOf();
    for (let at = 0; at <= POINTS + 30; at++) await sample(SAMPLE_MS, { requests: at });
    const { points } = history.recent();
    assert.equal(points.length, POINTS);
    assert.deepEqual([points.at(-1)?.agoMs, points[0]?.agoMs], [0, (POINTS - 1) * SAMPLE_MS]);
    clock.ms += SAMPLE_MS;
    assert.equal(history.recent().points.length, POINTS, 'at the limit');
    clock.ms += 1;
    assert.equal(history.recent().points.length, POINTS - 1, 'one past it');
    clock.ms += POINTS * SAMPLE_MS;
    assert.deepEqual(history.recent().points, []);
  });

  it('ignores a sample that follows another at once', async () => {
    const { history, sample } = historyOf();
    await sample(0, {});
    await sample(999, { requests: 1 });
    assert.equal(history.recent().points.length, 0);
    await sample(1, { requests: 1 });
    assert.equal(history.recent().points.length, 1);
  });

  it('reports a failed sample and goes on with the next', async () => {
    const { sample, failures } = historyOf();
    await sample(0, { requests: 0 });
    await sample(10_000, new Error('no numbers'));
    assert.match(String(failures), /no numbers/);
    assert.equal((await sample(10_000, { requests: 40 }))?.requestsPerSecond, 2);
  });

  it('takes one sample at a time: after the gateway is ready, then every 10 s until its end', async (t) => {
    mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
    t.after(() => mock.timers.reset());
    let respond: (totals: PoolTotals) => void = () => {};
    const response = new Promise<PoolTotals>((resolve) => {
      respond = resolve;
    });
    let samples = 0;
    const history = new History({
      sample: () => {
        samples += 1;
        return samples === 1 ? response : Promise.resolve(none);
      },
      onFailure: (error) => assert.fail(String(error)),
    });
    history.start();
    history.ready();
    mock.timers.tick(2000);
    assert.equal(samples, 1);
    mock.timers.tick(3 * SAMPLE_MS);
    assert.equal(samples, 1, 'the first has not ended');
    respond(none);
    await new Promise(setImmediate);
    mock.timers.tick(SAMPLE_MS);
    assert.equal(samples, 2);
    history.end();
    mock.timers.tick(10 * SAMPLE_MS);
    assert.equal(samples, 2);
  });
});
