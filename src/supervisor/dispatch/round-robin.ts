/**
 * Gives connections to workers in turn. If each one of a burst went to the first free worker, a
 * worker that is a little slower would get far fewer. So the worker with the fewest is first, and
 * while it is busy the others get only a few more. A worker that stays behind must not delay the
 * clients of the others: they wait for it only for a moment, until it has caught up, and it gets only
 * a few of the connections that it missed.
 */

/** A worker; `handoff` returns false when it accepts no connection now. */
interface Target<Thing> {
  /** Whether it is ready, however busy, and responds. */
  readonly serving: boolean;
  handoff(thing: Thing): boolean;
}

export interface RoundRobin<Thing> {
  /** `given` when a worker took it; `wait` when a free worker must wait a moment for its turn. */
  give(thing: Thing): 'given' | 'wait' | 'busy';
}

/** How many more one worker may get than another that is busy. */
const lead = 2;
/** How many a worker that was busy for longer gets at most before the others. */
const maxOwed = 16;
/** How long the others wait for a worker that is behind, in milliseconds. */
export const momentMs = 1000;

export function createRoundRobin<Thing>(targets: readonly Target<Thing>[]): RoundRobin<Thing> {
  const entries = targets.map((target) => ({
    target,
    given: 0,
    /** Since when another is ahead of it; NaN once it has caught up. */
    behindSince: Number.NaN,
  }));
  type Entry = (typeof entries)[number];
  let next = 0;

  /** The fewest first; among equals, in turn. */
  function inTurn(): Entry[] {
    const fromNext = [...entries.slice(next), ...entries.slice(0, next)];
    return fromNext.sort((a, b) => a.given - b.given);
  }

  function given(entry: Entry, before: readonly Entry[], now: number): void {
    entry.given += 1;
    next = (entries.indexOf(entry) + 1) % entries.length;
    for (const other of before) {
      if (!other.target.serving) other.given = entry.given;
      else if (Number.isNaN(other.behindSince)) other.behindSince = now;
      other.given = Math.max(other.given, entry.given - maxOwed);
    }
    if (entries.every((other) => other.given <= entry.given + 1)) entry.behindSince = Number.NaN;
  }

  return {
    give(thing) {
      const now = performance.now();
      const before: Entry[] = [];
      let most = Number.POSITIVE_INFINITY;
      for (const entry of inTurn()) {
        if (entry.given >= most) return 'wait';
        if (entry.target.handoff(thing)) {
          given(entry, before, now);
          return 'given';
        }
        before.push(entry);
        const tooLong = now - entry.behindSince >= momentMs;
        if (entry.target.serving && !tooLong) most = Math.min(most, entry.given + lead);
      }
      return 'busy';
    },
  };
}
