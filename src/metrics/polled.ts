import type { Metric, MetricObject, MetricValue } from 'prom-client';
import type { MetricSink } from './registry.ts';

export interface PolledMetric {
  readonly name: string;
  readonly help: string;
  readonly type: 'gauge' | 'counter';
  /** The values now, each with its labels, when the metric is read. */
  readonly read: () => readonly MetricValue<string>[];
}

/** Gauges and counters of numbers that are kept elsewhere, in prom-client's form but without its code. */
export function registerPolled(registry: MetricSink, metric: PolledMetric): void {
  const { name, help, type, read } = metric;
  const fixed = { name, help, type, aggregator: 'sum' };
  const registered = {
    ...fixed,
    get: () => Promise.resolve({ ...fixed, values: read() } as unknown as MetricObject),
    reset: () => {},
  };
  registry.registerMetric(registered as unknown as Metric);
}
