import type { CallCounts } from './call-slots.ts';
import { EngineClosedError, EngineDeadlineError } from './errors.ts';
import type { Probe } from './self-test.ts';

/** Nobody starts another probe sooner than this after one that has not been answered. */
const leastWaitMs = 600;

interface Run {
  readonly startedMs: number;
  readonly result: Promise<void>;
}

export interface ProbesOptions {
  /** The clock; for tests. */
  readonly now?: () => number;
}

/**
 * Asks the engine whether it works, as often as it can without doing harm. A call that the engine
 * has lost may hang for a minute after it has recovered (engine.md §1), and a probe with it: so
 * another one is sent when none has been answered for a while, at first soon, then after as long again
 * as nothing has been heard; and at once when one has come back. Callers that come between two of them share the last one, each with its
 * own patience.
 */
export class Probes {
  readonly #probes: readonly Probe[];
  readonly #now: () => number;
  /** The last, as long as it has had no answer, good or bad. */
  #last: Run | undefined;
  /** When the first was sent of those that nothing was heard after. */
  #silentSinceMs = 0;
  /** How many were out when the last was sent: with fewer, what hung begins to come back. */
  #outThen = 0;
  #closed = false;

  constructor(probes: readonly Probe[], { now = () => performance.now() }: ProbesOptions = {}) {
    this.#probes = probes;
    this.#now = now;
  }

  /** @throws what a probe does; EngineDeadlineError when none has been answered in `deadlineMs`. */
  async run(deadlineMs: number, options: { toleratesFullPool: boolean }): Promise<void> {
    if (this.#closed) throw new EngineClosedError('probe');
    const { result } = this.#current(options);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new EngineDeadlineError('probe', deadlineMs)), deadlineMs);
    });
    try {
      await Promise.race([result, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  counts(): Pick<CallCounts, 'inFlight' | 'late'> {
    const all = this.#probes.map((probe) => probe.counts());
    return {
      inFlight: all.reduce((sum, { inFlight }) => sum + inFlight, 0),
      late: all.reduce((sum, { late }) => sum + late, 0),
    };
  }

  /** Starts no more; true when the calls of all have returned, false when `deadlineMs` is over first. */
  async close(deadlineMs: number): Promise<boolean> {
    this.#closed = true;
    const closed = await Promise.all(this.#probes.map((probe) => probe.close(deadlineMs)));
    return !closed.includes(false);
  }

  /** The last one, or a new one if it is time for it and one is left. */
  #current(options: { toleratesFullPool: boolean }): Run {
    const now = this.#now();
    const last = this.#last;
    if (last !== undefined && !this.#isDue(last, now)) return last;
    const probe = this.#probes.find(({ free }) => free);
    if (probe === undefined && last !== undefined) return last;
    // Whoever was answered is free, so that one is, unless the last was not.
    if (last === undefined) this.#silentSinceMs = now;
    const run = { startedMs: now, result: (probe as Probe).run(options) };
    this.#last = run;
    this.#outThen = this.#out();
    const answered = (): void => {
      if (this.#last === run) this.#last = undefined;
    };
    run.result.then(answered, (error: unknown) => {
      if (!(error instanceof EngineDeadlineError)) answered();
    });
    return run;
  }

  #isDue(last: Run, now: number): boolean {
    if (this.#out() < this.#outThen) return true;
    return now - last.startedMs >= Math.max(leastWaitMs, last.startedMs - this.#silentSinceMs);
  }

  /** Those that run, and those whose last call hangs. */
  #out(): number {
    return this.#probes.filter(({ free }) => !free).length;
  }
}
