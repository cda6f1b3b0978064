import type { EngineOperation } from '../native/abi/types.ts';
import type { Scheduler } from '../scheduler/scheduler.ts';
import { hotHistogram, type Series } from './histogram.ts';
import { registerNumber, registerPolled } from './polled.ts';
import type { MetricSink } from './registry.ts';

/** From a call on this thread (a microsecond) to one that waits for the engine's own 60 s. */
const BUCKETS = [
  0.000_001, 0.000_005, 0.000_01, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01,
  0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
];

type Sources = Pick<Scheduler, 'engine' | 'arena' | 'calls' | 'single'>;

/** Engine calls by operation and code, the calls in flight, and the use of the arena. */
export function engineMetrics(
  registry: MetricSink,
  scheduler: Sources,
  isRefusing: () => boolean,
): void {
  observeCalls(registry, scheduler);
  registerStates(
    registry,
    'memcache_gateway_engine_calls',
    'Engine calls by state: in flight, late (in flight past their deadline), queued for a slot.',
    () => {
      const { inFlight, late, queued } = scheduler.calls();
      return { in_flight: inFlight, late, queued };
    },
  );
  registerNumber(registry, {
    name: 'memcache_gateway_engine_call_slots',
    help: 'Engine calls that may be in flight (--call-slots).',
    type: 'gauge',
    read: () => scheduler.calls().slots,
  });
  registerPolled(registry, {
    name: 'memcache_gateway_engine_call_limit',
    help: 'Engine calls that each kind of small operation may have in flight: the number that served most requests per second.',
    type: 'gauge',
    read: () =>
      Object.entries(scheduler.single.limits()).map(([operation, value]) => ({
        value,
        labels: { operation },
      })),
  });
  arenaMetrics(registry, scheduler, isRefusing);
}

function observeCalls(registry: MetricSink, { engine }: Sources): void {
  const durations = hotHistogram(
    registry,
    'memcache_gateway_engine_call_duration_seconds',
    'Duration of engine calls, by operation and returned code.',
    BUCKETS,
  );
  const known = new Map<EngineOperation, Map<number, Series>>();
  function seriesOf(operation: EngineOperation, code: number): Series {
    const series = durations.series({ operation, code: String(code) });
    known.set(operation, (known.get(operation) ?? new Map<number, Series>()).set(code, series));
    return series;
  }
  engine.onCall = (operation, code, elapsedMs) => {
    const series = known.get(operation)?.get(code) ?? seriesOf(operation, code);
    durations.observe(series, elapsedMs / 1000);
  };
}

function arenaMetrics(registry: MetricSink, { arena }: Sources, isRefusing: () => boolean): void {
  registerStates(
    registry,
    'memcache_gateway_arena_bytes',
    'Bytes of the arena by state: used, free, reserve_free (for small values only), waiting (requested but not yet allocated).',
    () => {
      const { totalBytes, usedBytes, waitingBytes } = arena.stats();
      const { reserveFreeBytes } = arena.pressure();
      return {
        used: usedBytes,
        free: totalBytes - usedBytes - reserveFreeBytes,
        reserve_free: reserveFreeBytes,
        waiting: waitingBytes,
      };
    },
  );
  registerNumber(registry, {
    name: 'memcache_gateway_arena_refusals_total',
    help: 'Requests refused because the arena had no free memory for them in time.',
    type: 'counter',
    read: () => arena.pressure().refusals,
  });
  registerNumber(registry, {
    name: 'memcache_gateway_arena_refusing',
    help: 'Workers whose arena has refused requests for longer than --arena-wait-ms.',
    type: 'gauge',
    read: () => (isRefusing() ? 1 : 0),
  });
  registerNumber(registry, {
    name: 'memcache_gateway_arena_waiters',
    help: 'Requests that wait for memory in the arena.',
    type: 'gauge',
    read: () => arena.stats().waiters,
  });
  registerNumber(registry, {
    name: 'memcache_gateway_arena_blocks',
    help: 'Blocks of the arena in use.',
    type: 'gauge',
    read: () => arena.stats().blocks,
  });
}

function registerStates(
  registry: MetricSink,
  name: string,
  help: string,
  read: () => Record<string, number>,
): void {
  registerPolled(registry, {
    name,
    help,
    type: 'gauge',
    read: () => Object.entries(read()).map(([state, value]) => ({ value, labels: { state } })),
  });
}
