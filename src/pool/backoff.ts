/** How long to wait before a dead worker's successor starts. */

export interface BackoffOptions {
  /** Wait after the first death. */
  readonly firstMs: number;
  /** Wait at most for one that was never ready. */
  readonly mostMs: number;
  /** Wait at most for one that was: it can serve, and while all are waited for nobody does. */
  readonly mostMsInService: number;
  /** A worker that was ready for so long starts the sequence anew. */
  readonly calmMs: number;
  /** 0 to below 1; for tests. */
  readonly random?: () => number;
}

export interface Backoff {
  /** The wait after a death, in ms, given how long the dead one had been ready (0: never). */
  afterDeath(readyMs: number): number;
}

/**
 * Doubles from `firstMs` to the most. A random half of each wait keeps the workers of a host, which
 * often die together, from starting together.
 */
export function createBackoff(options: BackoffOptions): Backoff {
  const { firstMs, mostMs, mostMsInService, calmMs, random = Math.random } = options;
  let deaths = 0;
  return {
    afterDeath(readyMs) {
      if (readyMs >= calmMs) deaths = 0;
      const most = readyMs > 0 ? mostMsInService : mostMs;
      const waitMs = Math.min(most, firstMs * 2 ** deaths);
      // Stops counting at the ceiling, since 2 ** deaths would reach infinity some day.
      if (waitMs < most) deaths += 1;
      return waitMs / 2 + (waitMs / 2) * random();
    },
  };
}
