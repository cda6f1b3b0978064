/**
 * Whose turn it is among workers. One that answers a little later than another would get far fewer of
 * the connections that come at once, if each went to whoever is free first. So the one with the
 * fewest is first, and while it is busy the others get only a few more. But clients of the others must
 * not suffer from one that stays behind: it is waited for no longer than a moment, until it has caught
 * up, and little of what it missed is made up for.
 */

/** A place in the pool; `handOver` answers false when it takes nothing now. */
interface Place<Thing> {
  /** Whether its worker is ready, however busy, and answers. */
  readonly serving: boolean;
  handOver(thing: Thing): boolean;
}

export interface Turns<Thing> {
  /** Whether somebody took it; `wait` when somebody would, whose turn it is not for a moment. */
  give(thing: Thing): 'given' | 'wait' | 'busy';
}

/** How far one may be ahead of another that is busy. */
const lead = 2;
/** How many one that was busy for longer gets at most before the others. */
const mostOwed = 16;
/** How long one that is behind is waited for, in milliseconds. */
export const momentMs = 1000;

export function createTurns<Thing>(places: readonly Place<Thing>[]): Turns<Thing> {
  const seats = places.map((place) => ({
    place,
    given: 0,
    /** When another went ahead of it, until it has caught up. */
    behindSince: Number.NaN,
  }));
  type Seat = (typeof seats)[number];
  let next = 0;

  /** The fewest first; of those with as many, the one whose turn it is. */
  function inTurn(): Seat[] {
    const fromNext = [...seats.slice(next), ...seats.slice(0, next)];
    return fromNext.sort((a, b) => a.given - b.given);
  }

  function given(seat: Seat, before: readonly Seat[], now: number): void {
    seat.given += 1;
    next = (seats.indexOf(seat) + 1) % seats.length;
    for (const other of before) {
      if (!other.place.serving) other.given = seat.given;
      else if (Number.isNaN(other.behindSince)) other.behindSince = now;
      other.given = Math.max(other.given, seat.given - mostOwed);
    }
    if (seats.every((other) => other.given <= seat.given + 1)) seat.behindSince = Number.NaN;
  }

  return {
    give(thing) {
      const now = performance.now();
      const before: Seat[] = [];
      let most = Number.POSITIVE_INFINITY;
      for (const seat of inTurn()) {
        if (seat.given >= most) return 'wait';
        if (seat.place.handOver(thing)) {
          given(seat, before, now);
          return 'given';
        }
        before.push(seat);
        const tooLong = now - seat.behindSince >= momentMs;
        if (seat.place.serving && !tooLong) most = Math.min(most, seat.given + lead);
      }
      return 'busy';
    },
  };
}
