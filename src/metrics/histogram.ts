import type { Metric, MetricObject, MetricValue } from 'prom-client';
import type { MetricSink } from './registry.ts';

type Labels = Record<string, string>;

/** One combination of labels: counts per bucket (the last is +Inf), then their sum. */
export interface Series {
  readonly labels: Labels;
  readonly counts: Float64Array;
  sum: number;
}

/**
 * A histogram with a reference to each series: an observation is two array writes. prom-client hashes the
 * labels in every observation, which costs more than a whole engine call. The values go to the registry in
 * prom-client's format, so prom-client does exposition and aggregation.
 */
export interface HotHistogram {
  series(labels: Labels): Series;
  observe(series: Series, seconds: number): void;
}

export function hotHistogram(
  registry: MetricSink,
  name: string,
  help: string,
  buckets: readonly number[],
): HotHistogram {
  const all: Series[] = [];
  const metric = {
    name,
    help,
    type: 'histogram',
    aggregator: 'sum',
    get: () =>
      Promise.resolve({
        name,
        help,
        type: 'histogram',
        aggregator: 'sum',
        values: all.flatMap((series) => valuesOf(name, buckets, series)),
      } as unknown as MetricObject),
    reset: () => {
      for (const series of all) {
        series.counts.fill(0);
        series.sum = 0;
      }
    },
  };
  registry.registerMetric(metric as unknown as Metric);
  return {
    series(labels) {
      const series = { labels, counts: new Float64Array(buckets.length + 1), sum: 0 };
      all.push(series);
      return series;
    },
    observe(series, seconds) {
      let at = 0;
      while (at < buckets.length && seconds > (buckets[at] as number)) at++;
      series.counts[at] = (series.counts[at] as number) + 1;
      series.sum += seconds;
    },
  };
}

function valuesOf(
  name: string,
  buckets: readonly number[],
  { labels, counts, sum }: Series,
): MetricValue<string>[] {
  let total = 0;
  const values = [...counts].map((count, at) => {
    total += count;
    const le = buckets[at] ?? '+Inf';
    return { metricName: `${name}_bucket`, value: total, labels: { le, ...labels } };
  });
  return [
    ...values,
    { metricName: `${name}_sum`, value: sum, labels },
    { metricName: `${name}_count`, value: total, labels },
  ] as unknown as MetricValue<string>[];
}
