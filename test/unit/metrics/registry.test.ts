import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { MetricJson } from '../../../src/messages/protocol.ts';
import { renderPool } from '../../../src/metrics/aggregation.ts';
import { hotHistogram } from '../../../src/metrics/histogram.ts';
import { registerPolled } from '../../../src/metrics/polled.ts';
import { createRegistry } from '../../../src/metrics/registry.ts';

const noPool = {
  version: '1.2.3',
  workers: [],
  waitingConnections: 4,
  fallbackConnections: 0,
  fallbackResponses: new Map([[503, 2]]),
};

/** A worker's registry with a metric of each kind. */
function createWorker(waiting: number) {
  const registry = createRegistry();
  const state = { waiting };
  registerPolled(registry, {
    name: 'waiting',
    help: 'Those who wait.',
    type: 'gauge',
    read: () => [{ value: state.waiting, labels: { place: 'arena' } }],
  });
  registerPolled(registry, {
    name: 'seen_total',
    help: 'Those who came.',
    type: 'counter',
    read: () => [{ value: 5, labels: {} }],
  });
  const histogram = hotHistogram(registry, 'took_seconds', 'How long.', [1]);
  histogram.observe(histogram.series({ code: '0' }), 0.5);
  return { registry, state };
}

/** In the form in which they arrive at the supervisor. */
const overChannel = (metrics: MetricJson[][]) =>
  JSON.parse(JSON.stringify(metrics)) as MetricJson[][];

const samplesOf = (live: MetricJson[][]) => ({ live, silent: [], ended: [] });

describe('the metrics of a worker', () => {
  it('are its own and those of its process, and are summed over workers', async () => {
    const workers = [createWorker(1), createWorker(2)];
    const read = () => Promise.all(workers.map(({ registry }) => registry.getMetricsAsJSON()));
    const { body } = await renderPool(samplesOf(overChannel(await read())), noPool);
    const lines = body.split('\n');
    for (const line of [
      '# TYPE waiting gauge',
      'waiting{place="arena"} 3',
      '# TYPE seen_total counter',
      'seen_total 10',
      'took_seconds_bucket{le="1",code="0"} 2',
      'took_seconds_count{code="0"} 2',
      'memcache_gateway_fallback_responses_total{status="503"} 2',
      'memcache_gateway_waiting_connections 4',
      '# TYPE process_cpu_seconds_total counter',
      '# TYPE nodejs_eventloop_lag_seconds gauge',
    ]) {
      assert.ok(lines.includes(line), `${line}\n${body}`);
    }
  });

  it('are read again at each scrape', async () => {
    const { registry, state } = createWorker(1);
    const waiting = async () => {
      const metrics = await registry.getMetricsAsJSON();
      return metrics.find(({ name }) => name === 'waiting');
    };
    const values = (value: number) => [{ value, labels: { place: 'arena' } }];
    assert.deepEqual(((await waiting()) as { values?: unknown }).values, values(1));
    state.waiting = 7;
    assert.deepEqual(((await waiting()) as { values?: unknown }).values, values(7));
  });

  it('have the same sum, to the last digit, in whatever order workers end', async () => {
    const metricsWith = (value: number): MetricJson[] => {
      const common = { help: 'x', aggregator: 'sum' };
      const cpu = { values: [{ value, labels: {} }] };
      const took = { values: [{ metricName: 'took_seconds_sum', value, labels: {} }] };
      return [
        { name: 'cpu_seconds_total', type: 'counter', ...common, ...cpu },
        { name: 'took_seconds', type: 'histogram', ...common, ...took },
      ];
    };
    const [a, b, c] = [metricsWith(0.1), metricsWith(0.2), metricsWith(0.3)];
    const sums = async (live: MetricJson[][], ended: MetricJson[][]) => {
      const { body } = await renderPool({ live, silent: [], ended }, noPool);
      return body.match(/^(cpu|took)_\S+ \S+$/gm);
    };
    const before = await sums([a, b], [c]);
    assert.equal(before?.length, 2);
    for (const [live, ended] of [
      [[a], [c, b]],
      [[b], [c, a]],
      [[], [a, b, c]],
      [[c, b, a], []],
    ] as const) {
      assert.deepEqual(await sums([...live], [...ended]), before);
    }
  });

  it('keep the counters of a silent or dead worker, but not its gauges', async () => {
    const [worker, other] = [createWorker(1), createWorker(2)];
    const reported = overChannel([await worker.registry.getMetricsAsJSON()]);
    const live = overChannel([await other.registry.getMetricsAsJSON()]);
    const has = (body: string, line: string) => assert.ok(body.split('\n').includes(line), body);
    const silent = await renderPool({ live, silent: reported, ended: [] }, noPool);
    has(silent.body, 'seen_total 10');
    has(silent.body, 'waiting{place="arena"} 2');
    has(silent.body, 'took_seconds_count{code="0"} 2');
    const ended = await renderPool({ live, silent: [], ended: reported }, noPool);
    has(ended.body, 'seen_total 10');
    const later = await renderPool(
      { live, silent: reported, ended: [ended.ended, ...reported] },
      noPool,
    );
    has(later.body, 'seen_total 20');
    has(later.body, 'took_seconds_bucket{le="1",code="0"} 4');
    has(later.body, 'waiting{place="arena"} 2');
  });
});
