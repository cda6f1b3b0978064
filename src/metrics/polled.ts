import type { Metric, MetricObject, MetricValue } from 'prom-client';
import type { MetricSink } from './registry.ts';

export interface PolledMetric {
  readonly name: string;
  readonly help: string;
  readonly type: 'gauge' | 'counter';
  /** Returns the current values with their labels; called at each scrape. */
  readonly read: () => readonly MetricValue<string>[];
}

/** Gauges and counters of numbers that are stored elsewhere, in prom-client's format without its code. */
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

/** Like `registerPolled`, for one number without labels. */
export function registerNumber(
  registry: MetricSink,
  { read, ...metric }: Omit<PolledMetric, 'read'> & { readonly read: () => number },
): void {
  registerPolled(registry, { ...metric, read: () => [{ value: read(), labels: {} }] });
}
