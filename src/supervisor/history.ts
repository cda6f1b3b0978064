/**
 * The last 15 minutes of the pool, for the status page. A sample is taken every 10 s, whether or not a
 * client views the page, so a view costs the workers nothing. Memory is fixed: old points are replaced.
 */
import type { HistoryPoint, MediumUse, PoolHistory } from '../messages/history.ts';

/** What all workers have counted since the start of the gateway, and what the pool holds. */
export interface PoolTotals {
  readonly requests: number;
  /** Duration of all requests together. */
  readonly seconds: number;
  /** Requests that took at most `seconds`, in order of the bound; the last bound is infinite. */
  readonly buckets: readonly { readonly seconds: number; readonly count: number }[];
  readonly receivedBytes: number;
  readonly sentBytes: number;
  readonly hits: number;
  readonly misses: number;
  readonly media: readonly MediumUse[];
  readonly objects: number | null;
}

export interface HistoryOptions {
  readonly sample: () => Promise<PoolTotals>;
  readonly onFailure: (error: unknown) => void;
  /** Milliseconds that only grow; for tests. */
  readonly now?: () => number;
}

export const SAMPLE_MS = 10_000;
/** 15 minutes. */
export const POINTS = 90;
/** After the gateway is ready: the workers first load the code of their metrics. */
const FIRST_MS = 2000;
/** Two samples at nearly the same time make no meaningful rate. */
const LEAST_MS = 1000;
const SLOWEST_SHARE = 0.01;

interface Sample {
  readonly atMs: number;
  readonly totals: PoolTotals;
}

type Point = Omit<HistoryPoint, 'agoMs'> & { readonly atMs: number };

export class History {
  readonly #options: HistoryOptions;
  readonly #now: () => number;
  readonly #points: Point[] = [];
  #last: Sample | undefined;
  #sampling = false;
  #timer: NodeJS.Timeout | undefined;
  #first: NodeJS.Timeout | undefined;

  constructor(options: HistoryOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  start(): void {
    this.#timer ??= setInterval(() => void this.take(), SAMPLE_MS).unref();
  }

  /** The gateway is ready: its first figures do not wait for the next regular sample. */
  ready(): void {
    this.#first ??= setTimeout(() => void this.take(), FIRST_MS).unref();
  }

  end(): void {
    clearInterval(this.#timer);
    clearTimeout(this.#first);
  }

  /** Takes a sample, unless one is being taken. Never rejects. */
  async take(): Promise<void> {
    if (this.#sampling) return;
    this.#sampling = true;
    try {
      this.#add(await this.#options.sample());
    } catch (error) {
      this.#options.onFailure(error);
    } finally {
      this.#sampling = false;
    }
  }

  recent(): PoolHistory {
    const now = this.#now();
    const { media = [], objects = null } = this.#last?.totals ?? {};
    const points = this.#points
      .map(({ atMs, ...numbers }) => ({ agoMs: Math.round(now - atMs), ...numbers }))
      .filter(({ agoMs }) => agoMs <= SAMPLE_MS * POINTS);
    return { points, media, objects };
  }

  #add(totals: PoolTotals): void {
    const sample = { atMs: this.#now(), totals };
    const last = this.#last;
    if (last !== undefined && sample.atMs - last.atMs < LEAST_MS) return;
    this.#last = sample;
    if (last === undefined) return;
    if (this.#points.length >= POINTS) this.#points.shift();
    this.#points.push(pointOf(last, sample));
  }
}

/** Sums never fall (scrape.ts). If one does all the same, the difference counts as zero and not as negative. */
const grown = (from: number, to: number): number => Math.max(0, to - from);

function pointOf({ atMs: since, totals: from }: Sample, { atMs, totals: to }: Sample): Point {
  const seconds = (atMs - since) / 1000;
  const requests = grown(from.requests, to.requests);
  const hits = grown(from.hits, to.hits);
  const reads = hits + grown(from.misses, to.misses);
  return {
    atMs,
    requestsPerSecond: requests / seconds,
    receivedPerSecond: grown(from.receivedBytes, to.receivedBytes) / seconds,
    sentPerSecond: grown(from.sentBytes, to.sentBytes) / seconds,
    meanMs: requests === 0 ? null : (grown(from.seconds, to.seconds) / requests) * 1000,
    mostMs: mostMs(from.buckets, to.buckets),
    hitRatio: reads === 0 ? null : hits / reads,
    usedRatio: usedRatio(to.media),
  };
}

/** The bound of the first bucket that has 99 % of the new requests; for the last bucket, the bound before. */
function mostMs(from: PoolTotals['buckets'], to: PoolTotals['buckets']): number | null {
  const before = new Map(from.map(({ seconds, count }) => [seconds, count]));
  const counts = to.map(({ seconds, count }) => ({
    seconds,
    count: grown(before.get(seconds) ?? 0, count),
  }));
  const all = counts.at(-1)?.count ?? 0;
  if (all === 0) return null;
  const needed = all * (1 - SLOWEST_SHARE);
  const found = counts.find(({ count }) => count >= needed)?.seconds ?? Number.POSITIVE_INFINITY;
  const last = counts.at(-2)?.seconds ?? 0;
  return Math.min(found, last) * 1000;
}

function usedRatio(media: readonly MediumUse[]): number | null {
  const sum = (member: 'totalBytes' | 'usedBytes') =>
    media.reduce((bytes, medium) => bytes + medium[member], 0);
  const total = sum('totalBytes');
  return total === 0 ? null : sum('usedBytes') / total;
}
