import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { AggregatorRegistry, Histogram, Registry } from 'prom-client';
import { hotHistogram } from '../../../src/metrics/histogram.ts';

const buckets = [0.001, 0.01, 0.1, 1];
const name = 'test_duration_seconds';
const help = 'For the test.';

type Observation = { operation: string; seconds: number };

/** The same observations in a histogram of prom-client. */
function theirs(observations: readonly Observation[]): Registry {
  const registry = new Registry();
  const labelNames = ['operation', 'code'];
  const histogram = new Histogram({ name, help, buckets, labelNames, registers: [registry] });
  for (const { operation, seconds } of observations) {
    histogram.observe({ operation, code: '0' }, seconds);
  }
  return registry;
}

function ours(observations: readonly Observation[]): Registry {
  const registry = new Registry();
  const histogram = hotHistogram(registry, name, help, buckets);
  const known = new Map<string, ReturnType<typeof histogram.series>>();
  for (const { operation, seconds } of observations) {
    const series = known.get(operation) ?? histogram.series({ operation, code: '0' });
    known.set(operation, series);
    histogram.observe(series, seconds);
  }
  return registry;
}

const observation = fc.record({
  operation: fc.constantFrom('get', 'put', 'a"b\\c\nd'),
  seconds: fc.oneof(fc.double({ min: 0, max: 2, noNaN: true }), fc.constantFrom(...buckets, 0)),
});

describe('hotHistogram', () => {
  it('writes the same text as prom-client for the same observations', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(observation, { maxLength: 60 }), async (observations) => {
        const text = await ours(observations).metrics();
        assert.equal(text, await theirs(observations).metrics());
      }),
      { numRuns: 200 },
    );
  });

  it('counts a value at a bound in that bucket, and one beyond the last only in +Inf', async () => {
    const text = await ours([
      { operation: 'get', seconds: 0.1 },
      { operation: 'get', seconds: 1.5 },
    ]).metrics();
    assert.match(text, /_bucket\{le="0\.01",operation="get",code="0"\} 0\n/);
    assert.match(text, /_bucket\{le="0\.1",operation="get",code="0"\} 1\n/);
    assert.match(text, /_bucket\{le="1",operation="get",code="0"\} 1\n/);
    assert.match(text, /_bucket\{le="\+Inf",operation="get",code="0"\} 2\n/);
    assert.match(text, /_sum\{operation="get",code="0"\} 1\.6\n/);
    assert.match(text, /_count\{operation="get",code="0"\} 2\n/);
  });

  it('is summed over workers like prom-client\u2019s own histograms', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(observation, { maxLength: 20 }), { minLength: 1, maxLength: 4 }),
        async (workers) => {
          const sum = async (make: typeof ours) => {
            const json = await Promise.all(workers.map((seen) => make(seen).getMetricsAsJSON()));
            // In the form in which it arrives from another process.
            return AggregatorRegistry.aggregate(structuredClone(json)).metrics();
          };
          assert.equal(await sum(ours), await sum(theirs));
        },
      ),
      { numRuns: 50 },
    );
  });

  it('starts again at zero after the registry is reset', async () => {
    const registry = ours([{ operation: 'get', seconds: 1 }]);
    registry.resetMetrics();
    assert.match(await registry.metrics(), /_count\{operation="get",code="0"\} 0\n/);
  });
});
