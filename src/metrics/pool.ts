import type { Metric, MetricObject, MetricValue } from 'prom-client';
import type { PoolCapacity, PoolSource } from '../store/pool/pool-source.ts';
import type { MetricSink } from './registry.ts';

interface PoolMetric {
  readonly name: string;
  readonly help: string;
  readonly type: 'gauge' | 'counter';
  readonly read: (capacity: PoolCapacity) => readonly MetricValue<string>[];
}

type Bytes = 'totalBytes' | 'usedBytes' | 'freeBytes';

const bytesOf =
  (member: Bytes) =>
  ({ media }: PoolCapacity) =>
    media.map((bytes) => ({ value: bytes[member], labels: { medium: bytes.medium } }));

const numberOf = (member: 'objects' | 'evictions') => (capacity: PoolCapacity) => {
  const value = capacity[member];
  return value === undefined ? [] : [{ value, labels: {} }];
};

const metrics: readonly PoolMetric[] = [
  {
    name: 'memcache_gateway_pool_capacity_bytes',
    help: 'Bytes of the whole pool, by medium.',
    type: 'gauge',
    read: bytesOf('totalBytes'),
  },
  {
    name: 'memcache_gateway_pool_used_bytes',
    help: 'Bytes that objects of the whole pool occupy, by medium.',
    type: 'gauge',
    read: bytesOf('usedBytes'),
  },
  {
    name: 'memcache_gateway_pool_free_bytes',
    help: 'Bytes of the whole pool that are free, by medium.',
    type: 'gauge',
    read: bytesOf('freeBytes'),
  },
  {
    name: 'memcache_gateway_pool_objects',
    help: 'Objects of the whole pool.',
    type: 'gauge',
    read: numberOf('objects'),
  },
  {
    name: 'memcache_gateway_pool_evictions_total',
    help: 'Objects evicted from the embedded pool; with the distributed engine, eviction runs of the meta service.',
    type: 'counter',
    read: numberOf('evictions'),
  },
];

/**
 * The figures of the pool. Every worker has the same ones, so the sum over workers takes those of the first
 * (aggregation.ts). While the source does not report, there are no samples but `pool_up` 0; without a source
 * there is none.
 */
export function poolMetrics(registry: MetricSink, pool: PoolSource | undefined): void {
  const ask = async () => pool?.capacity().catch(() => undefined);
  for (const { read, ...metric } of metrics) {
    register(registry, metric, async () => {
      const capacity = await ask();
      return capacity === undefined ? [] : read(capacity);
    });
  }
  const up = {
    name: 'memcache_gateway_pool_up',
    help: '1 if the source of the figures of the pool reports, 0 if it does not.',
    type: 'gauge',
  } as const;
  register(registry, up, async () =>
    pool === undefined ? [] : [{ value: (await ask()) === undefined ? 0 : 1, labels: {} }],
  );
}

function register(
  registry: MetricSink,
  metric: Omit<PoolMetric, 'read'>,
  read: () => Promise<readonly MetricValue<string>[]>,
): void {
  const fixed = { ...metric, aggregator: 'first' };
  const registered = {
    ...fixed,
    get: async () => ({ ...fixed, values: await read() }) as unknown as MetricObject,
    reset: () => {},
  };
  registry.registerMetric(registered as unknown as Metric);
}
