/** What all workers have counted, for the status page. Reads their metrics without prom-client. */
import type { MetricJson } from '../messages/protocol.ts';
import type { PoolTotals } from '../supervisor/history.ts';
import type { PoolSamples } from '../supervisor/scrape.ts';

interface Value {
  readonly value: number;
  readonly labels: Readonly<Record<string, string | number | undefined>>;
  readonly metricName?: string;
}

const DURATION = 'http_server_request_duration_seconds';
/** Requests for objects; not those of monitoring and of people. */
const DATA = /^\/v1\/(objects|info|layers|batch)\//;
const ITEMS = 'memcache_gateway_items_total';
/** Operations that find an object or not. An item of exists is ok in both cases. */
const READS: ReadonlySet<unknown> = new Set(['get', 'info']);

export function totalsOf({ live, silent, ended }: PoolSamples): PoolTotals {
  const all = [...live, ...silent, ...ended];
  const durations = all.flatMap((metrics) => valuesOf(metrics, DURATION)).filter(isData);
  const counts = durations.filter(({ metricName }) => metricName === `${DURATION}_count`);
  const items = all.flatMap((metrics) => valuesOf(metrics, ITEMS));
  const reads = (outcome: string) =>
    sum(
      items.filter(({ labels }) => READS.has(labels['operation']) && labels['outcome'] === outcome),
    );
  const counter = (name: string) => sum(all.flatMap((metrics) => valuesOf(metrics, name)));
  return {
    requests: sum(counts),
    seconds: sum(durations.filter(({ metricName }) => metricName === `${DURATION}_sum`)),
    buckets: bucketsOf(durations.filter(({ metricName }) => metricName === `${DURATION}_bucket`)),
    receivedBytes: counter('memcache_gateway_http_received_bytes_total'),
    sentBytes: counter('memcache_gateway_http_sent_bytes_total'),
    hits: reads('ok'),
    misses: reads('object-not-found'),
    ...poolOf([...live, ...silent]),
  };
}

function valuesOf(metrics: readonly MetricJson[], name: string): readonly Value[] {
  const found = metrics.find((metric) => metric.name === name) as
    | (MetricJson & { readonly values?: readonly Value[] })
    | undefined;
  return found?.values ?? [];
}

const isData = ({ labels }: Value): boolean => DATA.test(String(labels['http_route']));

const sum = (values: readonly Value[]): number =>
  values.reduce((total, { value }) => total + value, 0);

function bucketsOf(values: readonly Value[]): PoolTotals['buckets'] {
  const counts = new Map<number, number>();
  for (const { value, labels } of values) {
    const { le } = labels;
    const bound = le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le);
    counts.set(bound, (counts.get(bound) ?? 0) + value);
  }
  return [...counts]
    .map(([seconds, count]) => ({ seconds, count }))
    .sort((a, b) => (a.seconds < b.seconds ? -1 : 1));
}

/** All workers report the same pool: the first that knows it suffices. */
function poolOf(workers: readonly MetricJson[][]): Pick<PoolTotals, 'media' | 'objects'> {
  for (const metrics of workers) {
    const used = valuesOf(metrics, 'memcache_gateway_pool_used_bytes');
    const media = valuesOf(metrics, 'memcache_gateway_pool_capacity_bytes').map(
      ({ value, labels: { medium } }) => ({
        medium: String(medium),
        totalBytes: value,
        usedBytes: used.find(({ labels }) => labels['medium'] === medium)?.value ?? 0,
      }),
    );
    if (media.length === 0) continue;
    return { media, objects: valuesOf(metrics, 'memcache_gateway_pool_objects')[0]?.value ?? null };
  }
  return { media: [], objects: null };
}
