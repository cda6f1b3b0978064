import type { EngineClient } from '../native/types.ts';

/** Of one kind of calls: refuses what would need another one while all that it may make are late. */
export interface Breaker {
  readonly stuck: boolean;
  /** Lets a call be made in the place of a late one. */
  substitute(): void;
}

export interface CircuitOptions {
  readonly engine: Pick<EngineClient, 'calls' | 'deadlineMs' | 'probe' | 'stuck' | 'substitute'>;
  /** Of what most requests need: while one of them refuses, the worker is not ready. */
  readonly store: { readonly breakers: readonly Breaker[] };
  /** When only batches are refused, the worker is ready for others. */
  readonly batches: { readonly breakers: readonly Breaker[] };
  /** A probe was answered; so many calls may be made in the place of late ones. */
  readonly onSubstituted: (calls: number) => void;
  /** How often it is looked whether calls hang; 250 ms, but in tests. */
  readonly lookMs?: number;
}

export interface Circuit {
  /** Why some requests are refused at once, for people; undefined when none is. */
  readonly openReason: string | undefined;
  /** Sends no more probes. */
  end(): void;
}

const lookMs = 250;
/** Others will have asked in the meantime, and another probe may be out. */
const patienceMs = 2000;
/** When all slots are held, at least one in so many is substituted at a time. */
const SLOTS_FOR_ONE = 4;

/**
 * The circuit breaker between requests and an engine whose calls hang. It opens when all calls that
 * may be made are past their deadline, and is closed by the first that comes back, or by a probe: what
 * hangs may do so for a minute after the engine has recovered (engine.md §1). For a probe's sake some
 * late calls are counted no more, and others are made in their place, as far as the engine bears it.
 */
export function createCircuit(options: CircuitOptions): Circuit {
  const { engine, store, batches, onSubstituted } = options;
  const breakers = [...store.breakers, ...batches.breakers];
  const isStuck = (): boolean => engine.stuck || breakers.some(({ stuck }) => stuck);

  function substitute(): void {
    const least = engine.stuck ? Math.ceil(engine.calls().slots / SLOTS_FOR_ONE) : 0;
    let calls = 0;
    for (const breaker of breakers) {
      if (!breaker.stuck || !engine.substitute()) continue;
      breaker.substitute();
      calls += 1;
    }
    while (calls < least && engine.substitute()) calls += 1;
    if (calls > 0) onSubstituted(calls);
  }

  const looking = setInterval(() => {
    if (!isStuck()) return;
    engine.probe(patienceMs).then(substitute, () => {
      // It is asked again at the next look.
    });
  }, options.lookMs ?? lookMs).unref();

  return {
    get openReason() {
      const whose = engine.stuck
        ? 'they hold every call slot'
        : store.breakers.some(({ stuck }) => stuck)
          ? 'they are all that one kind of operation may have'
          : undefined;
      if (whose === undefined) return undefined;
      const { inFlight, late } = engine.calls();
      return `Engine calls are past their deadline of ${engine.deadlineMs} ms: ${late} of ${inFlight} under way, and ${whose}. Requests that need one are refused until one comes back, or a probe is answered.`;
    },
    end: () => clearInterval(looking),
  };
}
