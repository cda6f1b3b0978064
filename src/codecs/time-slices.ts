/** Longest run of a decoder before other requests get their turn; other decoders may add slices of their own. */
const SLICE_MS = 4;

interface Waiter {
  readonly slices: TimeSlices;
  readonly resolve: () => void;
  readonly reject: (reason: Error) => void;
}

/** Work that waits for its next slice. In each turn of the event loop, one piece of work gets it. */
let waiting: Waiter[] = [];

function giveOne(): void {
  waiting.shift()?.resolve();
  if (waiting.length > 0) setImmediate(giveOne);
}

/**
 * Divides the long work of one request into slices, so that the event loop can turn between them. All
 * requests with long work share one slice in each turn.
 */
export class TimeSlices {
  #startMs = performance.now();
  #isStopped = false;

  /** A promise to await if the slice is used up. Rejects after `stop`. */
  pause(): Promise<void> | undefined {
    return performance.now() - this.#startMs < SLICE_MS ? undefined : this.next();
  }

  /** Waits for a new slice: for work that is known to be long. Rejects after `stop`. */
  async next(): Promise<void> {
    if (this.#isStopped) throw stopped();
    await new Promise<void>((resolve, reject) => {
      waiting.push({ slices: this, resolve, reject });
      if (waiting.length === 1) setImmediate(giveOne);
    });
    this.#startMs = performance.now();
  }

  /**
   * Ends the work at its next pause. Otherwise the work of an ended request would keep its text and items
   * in memory that no budget counts.
   */
  stop(): void {
    this.#isStopped = true;
    const mine = waiting.filter(({ slices }) => slices === this);
    if (mine.length === 0) return;
    waiting = waiting.filter(({ slices }) => slices !== this);
    for (const { reject } of mine) reject(stopped());
  }
}

const stopped = (): Error => new Error('the request ended before its body was decoded');

/** Calls `next` with a value that may be a promise. */
export const afterwards = <From, To>(
  value: From | Promise<From>,
  next: (value: From) => To | Promise<To>,
): To | Promise<To> => (value instanceof Promise ? value.then(next) : next(value));
