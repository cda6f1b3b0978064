export interface BackoffOptions {
  /** Wait after the first death. */
  readonly firstMs: number;
  /** Longest wait after a worker that was never ready. */
  readonly maxMs: number;
  /** Longest wait after a worker that was ready: its successor can probably serve. */
  readonly maxMsInService: number;
  /** A worker that was ready for this time resets the sequence. */
  readonly calmMs: number;
  /** 0 to below 1; for tests. */
  readonly random?: () => number;
}

export interface Backoff {
  /** The wait after a death, in ms, given how long the dead one had been ready (0: never). */
  afterDeath(readyMs: number): number;
}

/**
 * How long to wait before the successor of a dead worker starts: doubles from `firstMs` to the
 * limit. A random half of each wait keeps the workers of a host, which often die together, from
 * starting together.
 */
export function createBackoff(options: BackoffOptions): Backoff {
  const { firstMs, maxMs, maxMsInService, calmMs, random = Math.random } = options;
  let deaths = 0;
  return {
    afterDeath(readyMs) {
      if (readyMs >= calmMs) deaths = 0;
      const most = readyMs > 0 ? maxMsInService : maxMs;
      const waitMs = Math.min(most, firstMs * 2 ** deaths);
      // Stops counting at the ceiling, since 2 ** deaths would reach infinity some day.
      if (waitMs < most) deaths += 1;
      return waitMs / 2 + (waitMs / 2) * random();
    },
  };
}
