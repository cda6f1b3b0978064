import { EngineClosedError, EngineDeadlineError } from '../native/abi/errors.ts';
import type { Probe } from '../native/start/self-test.ts';
import type { CallCounts } from './dispatcher.ts';

/** The shortest time between two probes if the first has not returned. */
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
 * Probes the engine as often as possible without harm. A call that the engine has lost may hang for a
 * minute after the recovery (docs/engine-facts.md §7), and so may a probe. So the next probe is sent when
 * none has returned for a while: first soon, then after as long as there was no result so far; and at
 * once when one returns. Callers between two probes share the last one, each with its own deadline.
 */
export class Probes {
  readonly #probes: readonly Probe[];
  readonly #now: () => number;
  /** The last probe, until it succeeds or fails. */
  #last: Run | undefined;
  /** The time of the first probe since the last result. */
  #silentSinceMs = 0;
  /** Probes in flight when the last one was sent. If there are fewer now, hanging calls begin to return. */
  #outThen = 0;
  #closed = false;

  constructor(probes: readonly Probe[], { now = () => performance.now() }: ProbesOptions = {}) {
    this.#probes = probes;
    this.#now = now;
  }

  /** @throws the error of a probe; EngineDeadlineError if none has returned within `deadlineMs`. */
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

  /** Starts no more probes. True when all calls have returned, false if `deadlineMs` is over first. */
  async close(deadlineMs: number): Promise<boolean> {
    this.#closed = true;
    const closed = await Promise.all(this.#probes.map((probe) => probe.close(deadlineMs)));
    return !closed.includes(false);
  }

  /** The last probe, or a new one if it is time and a slot is free. */
  #current(options: { toleratesFullPool: boolean }): Run {
    const now = this.#now();
    const last = this.#last;
    if (last !== undefined && !this.#isDue(last, now)) return last;
    const probe = this.#probes.find(({ free }) => free);
    if (probe === undefined && last !== undefined) return last;
    // A probe that has returned is free, so one is available, unless the last one has not returned.
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

  /** The probes that run, and those whose last call hangs. */
  #out(): number {
    return this.#probes.filter(({ free }) => !free).length;
  }
}
