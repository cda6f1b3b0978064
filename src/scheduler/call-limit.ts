/** The limit of calls in flight for one queue. */
export interface CallLimit {
  /** Calls that may be in flight now: 1 to `most`. */
  readonly current: number;
  /** For metrics: the best number so far. It differs from `current` while another number is tried. */
  readonly found: number;
  /** Called when a call begins while none is in flight. */
  onStart(nowMs: number): void;
  /**
   * Called when a call has returned in time. `requests` are those that it served, and `inFlight` are the
   * calls in flight before it returned.
   */
  onReturn(requests: number, inFlight: number, nowMs: number): void;
}

export const fixedLimit = (calls: number): CallLimit => ({
  current: calls,
  found: calls,
  onStart: () => undefined,
  onReturn: () => undefined,
});

/** A window is long enough that one call more or less at its ends hardly changes the rate. */
const WINDOW_ROUNDS = 8;
const WINDOW_REQUESTS = 512;
/** A pause of the load, which does not belong to a window. Shorter ones may be caused by the limit. */
const PAUSE_MS = 10;
/** A number is better if its rate is higher by this factor: smaller differences may be noise. */
const GAIN = 1.03;
/** Votes for another number after which it is taken, and against it after which it is dropped. */
const WINS_TO_TAKE = 3;
const LOSSES_TO_DROP = 2;
/** A number with so much less than the rate of the other one is dropped at once, because trying it costs most. */
const CLEAR_LOSS = 0.85;
/** Windows between trials: twice as many after each trial that found nothing. */
const LEAST_PAUSE = 4;
const LONGEST_PAUSE = 32;

/**
 * Finds the number of calls in flight at which a queue serves the most requests per second. More calls
 * help an engine that works on them in parallel. They harm an engine that works on one at a time: the
 * calls wait inside it, and fewer requests share each.
 *
 * It measures the rate in windows of returned calls. From time to time it tries twice or half the number:
 * windows with both numbers alternate, and each one of the other number is a vote. It is for that number if
 * its rate is higher than in the windows before and after it. So a change of the load affects both numbers,
 * and a slow call is at most one vote. One trial changes the number by one step.
 *
 * A window in which fewer than half the calls were usually in flight shows nothing about the limit and is
 * ignored, and pauses of the load do not count. The clock is that of the caller.
 */
export class MeasuredLimit implements CallLimit {
  current: number;
  found: number;
  readonly #most: number;
  #isRising = true;
  #wins = 0;
  #losses = 0;
  #pause = LEAST_PAUSE;
  /** Windows until the next trial. */
  #rest = 0;
  /** The rate of the last window with the number found, and of the last one with the other number, if it has no vote yet. */
  #foundRate = 0;
  #triedRate: number | undefined;
  /** Returns that belong to no window, because their calls began with another number. */
  #unsettled = 1;
  #startedMs = 0;
  #returnedMs = 0;
  #calls = 0;
  #requests = 0;
  /** Calls of the window that returned while the limit mattered. */
  #limited = 0;

  /** @param most at least 2. */
  constructor(first: number, most: number) {
    this.current = first;
    this.found = first;
    this.#most = most;
  }

  onStart(nowMs: number): void {
    const pauseMs = nowMs - this.#returnedMs;
    if (pauseMs > PAUSE_MS) this.#startedMs += pauseMs;
  }

  onReturn(requests: number, inFlight: number, nowMs: number): void {
    this.#returnedMs = nowMs;
    if (this.#unsettled > 0) {
      this.#unsettled -= 1;
      if (this.#unsettled === 0) this.#startWindow(nowMs);
      return;
    }
    this.#calls += 1;
    this.#requests += requests;
    // With fewer calls in flight, half the limit would do.
    if (2 * inFlight >= this.current) this.#limited += 1;
    if (this.#requests < WINDOW_REQUESTS || this.#calls < WINDOW_ROUNDS * this.current) return;
    const rate = this.#requests / (nowMs - this.#startedMs);
    const isLimited = 2 * this.#limited >= this.#calls;
    this.#startWindow(nowMs);
    this.#learn(rate, isLimited);
  }

  #startWindow(nowMs: number): void {
    this.#startedMs = nowMs;
    this.#calls = 0;
    this.#requests = 0;
    this.#limited = 0;
  }

  #learn(rate: number, isLimited: boolean): void {
    if (this.current !== this.found) {
      this.#triedRate = isLimited ? rate : 0;
      this.#change(this.found);
      return;
    }
    if (!isLimited) return;
    const tried = this.#triedRate;
    this.#triedRate = undefined;
    if (tried !== undefined) this.#vote(tried / Math.max(this.#foundRate, rate));
    if (this.#wins === WINS_TO_TAKE) {
      this.#take(this.#other());
      return;
    }
    this.#foundRate = rate;
    if (this.#rest === 0) this.#change(this.#other());
    else this.#rest -= 1;
  }

  #vote(gain: number): void {
    if (gain > GAIN) this.#wins += 1;
    else this.#losses += gain < CLEAR_LOSS ? LOSSES_TO_DROP : 1;
    if (this.#losses < LOSSES_TO_DROP) return;
    this.#wins = 0;
    this.#losses = 0;
    this.#isRising = !this.#isRising;
    this.#rest = this.#pause;
    this.#pause = Math.min(2 * this.#pause, LONGEST_PAUSE);
  }

  /** The trials go on in the same direction at once. */
  #take(calls: number): void {
    this.#wins = 0;
    this.#losses = 0;
    this.#pause = LEAST_PAUSE;
    this.found = calls;
    this.#change(calls);
  }

  /** The number to try: the next in the direction, or in the other one at an end. */
  #other(): number {
    if (this.found === this.#most) this.#isRising = false;
    if (this.found === 1) this.#isRising = true;
    return this.#isRising ? Math.min(2 * this.found, this.#most) : Math.floor(this.found / 2);
  }

  #change(calls: number): void {
    // Calls of the old number are in flight, and the requests spread over the new one within two rounds.
    this.#unsettled = 2 * (this.current + calls);
    this.current = calls;
  }
}
