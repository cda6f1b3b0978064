/** The rate of recent events. */
export interface Rate {
  add(count: number): void;
  perSecond(): number;
}

/** Counts events over about a second. */
export function createRate(): Rate {
  let startedMs = performance.now();
  let current = 0;
  let previous = 0;

  /** Begins the next second if this one is over. */
  function advance(): number {
    const elapsedMs = performance.now() - startedMs;
    if (elapsedMs < 1000) return elapsedMs;
    previous = elapsedMs < 2000 ? current : 0;
    current = 0;
    startedMs += elapsedMs < 2000 ? 1000 : elapsedMs;
    return performance.now() - startedMs;
  }

  return {
    add(count: number): void {
      advance();
      current += count;
    },
    perSecond(): number {
      const elapsedMs = advance();
      return current + previous * Math.max(0, 1 - elapsedMs / 1000);
    },
  };
}
