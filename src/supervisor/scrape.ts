/**
 * The pool's metrics: those of all workers added up, and the supervisor's own. A sum must not go
 * backwards, since a reader takes that for a restart. So a worker that does not respond counts with
 * the metrics that it sent last, and a worker that has ended still counts.
 */
import type { MetricJson, MetricsText } from '../messages/protocol.ts';

/** Metrics of workers by how current they are. */
export interface PoolSamples {
  /** The metrics of workers that have just responded. */
  readonly live: readonly MetricJson[][];
  /** The last metrics of workers that have not responded: their counters hold, their gauges do not. */
  readonly silent: readonly MetricJson[][];
  /** The last metrics of workers that have ended; the same. */
  readonly ended: readonly MetricJson[][];
}

export interface Rendered extends MetricsText {
  /** The counters of all workers that have ended, added up. */
  readonly ended: MetricJson[];
}

/** A worker of the pool. */
interface Source {
  /** Requests its metrics; true when it has responded in time. */
  collect(deadlineMs: number): Promise<boolean>;
  readonly metrics: MetricJson[] | undefined;
}

export interface ScrapeOptions {
  readonly sources: readonly Source[];
  readonly render: (samples: PoolSamples) => Promise<Rendered>;
  /** A worker that does not send its metrics in this time is silent. */
  readonly collectMs: number;
}

export interface Scrape {
  /** In Prometheus's text format; calls at the same time share one scrape. */
  text(): Promise<MetricsText>;
  /** The current metrics of all workers, not added up. */
  samples(): Promise<PoolSamples>;
  /** A worker has ended; these are the last metrics that it sent. */
  workerEnded(metrics: MetricJson[]): void;
}

/** Metrics of more ended workers are added up, even if no client reads /metrics: their number has no limit. */
const MAX_ENDED = 8;

export function createScrape({ sources, render, collectMs }: ScrapeOptions): Scrape {
  let ended: MetricJson[][] = [];
  let scraping: Promise<MetricsText> | undefined;

  async function collect(): Promise<PoolSamples> {
    const responded = await Promise.all(sources.map((source) => source.collect(collectMs)));
    const live: MetricJson[][] = [];
    const silent: MetricJson[][] = [];
    sources.forEach(({ metrics }, at) => {
      if (metrics !== undefined) (responded[at] === true ? live : silent).push(metrics);
    });
    return { live, silent, ended };
  }

  async function scrape(): Promise<MetricsText> {
    const samples = await collect();
    const added = samples.ended;
    const { ended: sum, ...text } = await render(samples);
    // Workers that have ended during the scrape follow the added ones.
    ended = [...(sum.length > 0 ? [sum] : []), ...ended.slice(added.length)];
    return text;
  }

  function text(): Promise<MetricsText> {
    scraping ??= scrape().finally(() => {
      scraping = undefined;
    });
    return scraping;
  }

  return {
    text,
    async samples() {
      if (ended.length > MAX_ENDED) await text();
      return collect();
    },
    workerEnded(metrics) {
      ended = [...ended, metrics];
    },
  };
}
