/** What the pool has done in the last 15 minutes. The supervisor keeps it, and the status page shows it. */

/** The pool from the previous point to this one. */
export interface HistoryPoint {
  /** Milliseconds from this point to the time at which the history was sent. */
  readonly agoMs: number;
  /** Requests for objects, layers and batches. */
  readonly requestsPerSecond: number;
  /** Bytes of all request and response bodies. */
  readonly receivedPerSecond: number;
  readonly sentPerSecond: number;
  /** Mean duration of these requests; null without requests. */
  readonly meanMs: number | null;
  /** A time within which at least 99 % of them ended: the bound of a bucket. Null without requests. */
  readonly mostMs: number | null;
  /** Share of reads of single objects that found the object; null without such reads. */
  readonly hitRatio: number | null;
  /** Share of the pool that objects occupy; null where it is not known. */
  readonly usedRatio: number | null;
}

/** The bytes of one medium of the pool. */
export interface MediumUse {
  readonly medium: string;
  readonly totalBytes: number;
  readonly usedBytes: number;
}

export interface PoolHistory {
  /** The oldest first. */
  readonly points: readonly HistoryPoint[];
  /** At the last point; empty where it is not known. */
  readonly media: readonly MediumUse[];
  readonly objects: number | null;
}

export const emptyHistory: PoolHistory = { points: [], media: [], objects: null };
