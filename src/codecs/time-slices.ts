/** Longest run of a decoder before other requests get their turn; others may add theirs to it. */
const SLICE_MS = 4;

/** Decoders that wait for their next slice. One gets it in each turn of the event loop. */
const waiting: (() => void)[] = [];

function giveOne(): void {
  waiting.shift()?.();
  if (waiting.length > 0) setImmediate(giveOne);
}

function nextSlice(): Promise<void> {
  return new Promise((resolve) => {
    waiting.push(resolve);
    if (waiting.length === 1) setImmediate(giveOne);
  });
}

/**
 * Divides long work of one request into slices, so that the event loop turns between them. However
 * many requests have long work, they share one slice in each turn.
 */
export class TimeSlices {
  #startMs = performance.now();

  /** To be awaited where there is one: the slice is used up. */
  pause(): Promise<void> | undefined {
    return performance.now() - this.#startMs < SLICE_MS ? undefined : this.next();
  }

  /** Waits for a slice of its own: for work that is known to be long. */
  async next(): Promise<void> {
    await nextSlice();
    this.#startMs = performance.now();
  }
}

/** Calls `next` with a value that may take time to come. */
export const afterwards = <From, To>(
  value: From | Promise<From>,
  next: (value: From) => To | Promise<To>,
): To | Promise<To> => (value instanceof Promise ? value.then(next) : next(value));
