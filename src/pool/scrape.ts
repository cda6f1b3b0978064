/**
 * The pool's metrics: those of all workers added up, and the supervisor's own. A sum that leaves out
 * who does not answer would go backwards, which a reader takes for a restart: so a worker that is
 * stuck is counted as it last told, and one that is gone for good.
 */
import type { MetricJson, MetricsText } from './protocol.ts';

/** Metrics of workers by what they are worth. */
export interface PoolSamples {
  /** Of workers that have just answered. */
  readonly live: readonly MetricJson[][];
  /** The last of those that have not: what they have counted holds, their state does not. */
  readonly silent: readonly MetricJson[][];
  /** The last of those that are gone; the same. */
  readonly gone: readonly MetricJson[][];
}

export interface Rendered extends MetricsText {
  /** All that those counted who are gone, in one. */
  readonly gone: MetricJson[];
}

/** A place in the pool. */
interface Source {
  /** Asks its worker, if there is one that answers; true when it has. */
  collect(deadlineMs: number): Promise<boolean>;
  readonly metrics: MetricJson[] | undefined;
}

export interface ScrapeOptions {
  readonly sources: readonly Source[];
  readonly render: (samples: PoolSamples) => Promise<Rendered>;
  /** A worker that does not tell its metrics in this time is silent. */
  readonly collectMs: number;
}

export interface Scrape {
  /** In Prometheus's text format; who asks while others wait gets what they get. */
  text(): Promise<MetricsText>;
  /** A worker is gone, and this is the last that it told. */
  ended(metrics: MetricJson[]): void;
}

export function createScrape({ sources, render, collectMs }: ScrapeOptions): Scrape {
  let gone: MetricJson[][] = [];
  let scraping: Promise<MetricsText> | undefined;

  async function scrape(): Promise<MetricsText> {
    const answered = await Promise.all(sources.map((source) => source.collect(collectMs)));
    const live: MetricJson[][] = [];
    const silent: MetricJson[][] = [];
    sources.forEach(({ metrics }, at) => {
      if (metrics !== undefined) (answered[at] === true ? live : silent).push(metrics);
    });
    const added = gone;
    const { gone: sum, ...text } = await render({ live, silent, gone: added });
    // Who has gone meanwhile is behind them.
    gone = [...(sum.length > 0 ? [sum] : []), ...gone.slice(added.length)];
    return text;
  }

  return {
    text() {
      scraping ??= scrape().finally(() => {
        scraping = undefined;
      });
      return scraping;
    },
    ended(metrics) {
      gone = [...gone, metrics];
    },
  };
}
