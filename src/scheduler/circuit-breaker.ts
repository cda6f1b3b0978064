import type { CallQueue } from './call-queue.ts';
import type { Scheduler } from './scheduler.ts';

export interface CircuitBreakerOptions {
  readonly scheduler: Pick<
    Scheduler,
    'calls' | 'deadlineMs' | 'probe' | 'isStuck' | 'substitute'
  > & {
    /** Operations that most requests need: while one of their queues is stuck, the worker is not ready. */
    readonly single: { readonly queues: readonly CallQueue[] };
    /** If only batches are refused, the worker is ready for other requests. */
    readonly batches: { readonly queues: readonly CallQueue[] };
  };
  /** Called after a successful probe with the number of late calls that were replaced. */
  readonly onSubstituted: (calls: number) => void;
  /** Interval of the checks; 250 ms by default. */
  readonly pollMs?: number;
}

export interface CircuitBreaker {
  /** The reason why some requests are refused at once, as text; undefined while none is. */
  readonly openReason: string | undefined;
  /** Stops sending probes. */
  end(): void;
}

const POLL_MS = 250;
/** Requests share the probe, and another one may be in flight. */
const PROBE_DEADLINE_MS = 2000;
/** When all slots are held, at least one in this many is replaced at a time. */
const SLOTS_PER_SUBSTITUTE = 4;

/**
 * Protects requests from an engine whose calls hang. The circuit is open while a queue or every slot is
 * stuck. It closes when a call returns, or after a successful probe: a call may hang for a minute after
 * the engine has recovered (docs/engine-facts.md §7). After a probe, other calls replace some of the
 * late ones, within the limit of the engine.
 */
export function createCircuitBreaker(options: CircuitBreakerOptions): CircuitBreaker {
  const { scheduler, onSubstituted } = options;
  const queues = [...scheduler.single.queues, ...scheduler.batches.queues];
  const isStuck = (): boolean => scheduler.isStuck || queues.some((queue) => queue.isStuck);

  function substitute(): void {
    const { slots } = scheduler.calls();
    const least = scheduler.isStuck ? Math.ceil(slots / SLOTS_PER_SUBSTITUTE) : 0;
    let calls = 0;
    for (const queue of queues) if (queue.isStuck && scheduler.substitute(queue)) calls += 1;
    while (calls < least && scheduler.substitute()) calls += 1;
    if (calls > 0) onSubstituted(calls);
  }

  const polling = setInterval(() => {
    if (!isStuck()) return;
    scheduler.probe(PROBE_DEADLINE_MS).then(substitute, () => {
      // The next poll sends another probe.
    });
  }, options.pollMs ?? POLL_MS).unref();

  return {
    get openReason() {
      const holders = scheduler.isStuck
        ? 'they hold every call slot'
        : scheduler.single.queues.some((queue) => queue.isStuck)
          ? 'they are all that one kind of operation may make'
          : undefined;
      if (holders === undefined) return undefined;
      const { inFlight, late } = scheduler.calls();
      return `Engine calls are past their deadline of ${scheduler.deadlineMs} ms: ${late} of ${inFlight} in flight, and ${holders}. Requests that need one are refused until one returns or a probe succeeds.`;
    },
    end: () => clearInterval(polling),
  };
}
