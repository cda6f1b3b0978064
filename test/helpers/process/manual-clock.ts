import type { Clock } from '../../../src/store/group-read.ts';

export interface ManualClock extends Clock {
  /** Advances the time, and calls every due timer in order. */
  advance(ms: number): void;
  /** Timers that have neither fired nor been cancelled. */
  readonly pending: number;
}

/** A clock that stands still until the test moves it. */
export function createManualClock(): ManualClock {
  let nowMs = 0;
  const timers = new Set<{ readonly atMs: number; readonly callback: () => void }>();
  return {
    now: () => nowMs,
    after(ms, callback) {
      const timer = { atMs: nowMs + ms, callback };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    advance(ms) {
      const untilMs = nowMs + ms;
      for (;;) {
        const [due] = [...timers]
          .filter(({ atMs }) => atMs <= untilMs)
          .sort((a, b) => a.atMs - b.atMs);
        if (due === undefined) break;
        timers.delete(due);
        nowMs = due.atMs;
        due.callback();
      }
      nowMs = untilMs;
    },
    get pending() {
      return timers.size;
    },
  };
}
