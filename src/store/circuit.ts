import type { EngineClient } from '../native/types.ts';

/** What refuses requests at once while all calls that it may make are past their deadline. */
interface Breakable {
  readonly stuck: boolean;
}

/** Of what a worker serves requests with: when only batches are refused, others are free. */
export interface Breakers {
  readonly store: Breakable;
}

/**
 * Why some requests are refused at once, for people; undefined when none is. That ends by itself with
 * the first call that comes back, and no request has to try (call-slots.ts, lane.ts).
 */
export function openCircuit(
  engine: Pick<EngineClient, 'calls' | 'deadlineMs' | 'stuck'>,
  { store }: Breakers,
): string | undefined {
  const whose = engine.stuck
    ? 'they hold every call slot'
    : store.stuck
      ? 'they are all that one kind of operation may have'
      : undefined;
  if (whose === undefined) return undefined;
  const { inFlight, late } = engine.calls();
  return `Engine calls are past their deadline of ${engine.deadlineMs} ms: ${late} of ${inFlight} under way, and ${whose}. Requests that need one are refused until one comes back.`;
}
