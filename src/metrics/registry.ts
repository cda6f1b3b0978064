/**
 * The metrics of a worker. prom-client is loaded only for the metrics of the process and its event
 * loop, and not before the worker is ready, since it would take a tenth of the start.
 */
import type { Metric, MetricObject, Registry as ProcessRegistry } from 'prom-client';
import type { MetricJson } from '../messages/protocol.ts';

/** The interface for declaring metrics; prom-client's registry implements it too. */
export interface MetricSink {
  registerMetric(metric: Metric): void;
}

export interface Registry extends MetricSink {
  getMetricsAsJSON(): Promise<MetricJson[]>;
}

const processDelayMs = 1000;

/** Gauges of prom-client that have the suffix of counters. Each is the sum of a gauge without the suffix. */
const misnamed = ['resources', 'handles', 'requests'].map((kind) => `nodejs_active_${kind}_total`);

export function createRegistry(): Registry {
  const own: { get(): Promise<MetricObject> }[] = [];
  let loading: Promise<ProcessRegistry> | undefined;

  async function load(): Promise<ProcessRegistry> {
    const { collectDefaultMetrics, Registry } = await import('prom-client');
    const registry = new Registry();
    collectDefaultMetrics({ register: registry });
    for (const name of misnamed) registry.removeSingleMetric(name);
    return registry;
  }

  /** The next scrape retries a failed load. */
  function ofProcess(): Promise<ProcessRegistry> {
    loading ??= load().catch((error: unknown) => {
      loading = undefined;
      throw error;
    });
    return loading;
  }

  setTimeout(() => void ofProcess().catch(() => undefined), processDelayMs).unref();
  return {
    registerMetric(metric) {
      // A method that prom-client's own registries call; its types omit it.
      own.push(metric);
    },
    async getMetricsAsJSON() {
      const registry = await ofProcess();
      const [first, ...rest] = await Promise.all([
        registry.getMetricsAsJSON(),
        ...own.map((metric) => metric.get()),
      ]);
      return [...rest, ...first] as MetricJson[];
    },
  };
}
