/** A client's rate is that of its last ten seconds. */
export const WINDOW_MS = 10_000;
/** Bytes are noted this often, so a window is at most this much longer. */
const MARK_MS = 1000;

interface Mark {
  readonly ageMs: number;
  readonly bytes: number;
}

/**
 * The rate of a transfer over a sliding window, so that bytes sent quickly at the beginning do not
 * make up for a slow rate later. `ageMs` counts only the time in which the client could send or read.
 */
export class RateWindow {
  /** Oldest first; the first one is where the window begins. */
  readonly #marks: Mark[] = [{ ageMs: 0, bytes: 0 }];

  /** Bytes a second; undefined before the transfer is as old as the window: a slow start is allowed. */
  rate(ageMs: number, bytes: number): number | undefined {
    const marks = this.#marks;
    while (ageMs - (marks[1]?.ageMs ?? ageMs) >= WINDOW_MS) marks.shift();
    const start = marks[0] as Mark;
    const newest = marks.at(-1) as Mark;
    if (ageMs - newest.ageMs >= MARK_MS) marks.push({ ageMs, bytes });
    const windowMs = ageMs - start.ageMs;
    return windowMs < WINDOW_MS ? undefined : ((bytes - start.bytes) * 1000) / windowMs;
  }

  /** Bytes a second over the shortest known time of at least `leastMs`; undefined before it is as old. */
  recentRate(ageMs: number, bytes: number, leastMs: number): number | undefined {
    const start = this.#marks.findLast((mark) => ageMs - mark.ageMs >= leastMs);
    return start && ((bytes - start.bytes) * 1000) / (ageMs - start.ageMs);
  }
}
