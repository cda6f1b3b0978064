import type { EngineClient, EngineOperation } from '../native/types.ts';
import { hotHistogram, type Series } from './histogram.ts';
import { registerPolled } from './polled.ts';
import type { MetricSink } from './registry.ts';

/** From a call on this thread (a microsecond) to one that waits out the engine's own 60 s. */
const BUCKETS = [
  0.000_001, 0.000_005, 0.000_01, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01,
  0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
];

/** Engine calls by operation and code, the calls in flight, and what the arena holds. */
export function engineMetrics(
  registry: MetricSink,
  engine: EngineClient,
  isRefusing: () => boolean,
): void {
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
  const gaugeByState = (name: string, help: string, read: () => Record<string, number>) =>
    registerPolled(registry, {
      name,
      help,
      type: 'gauge',
      read: () => Object.entries(read()).map(([state, value]) => ({ value, labels: { state } })),
    });
  gaugeByState(
    'memcache_gateway_engine_calls',
    'Engine calls by state: in flight, late (in flight past their deadline), queued for a slot.',
    () => {
      const { inFlight, late, queued } = engine.calls();
      return { in_flight: inFlight, late, queued };
    },
  );
  gaugeByState(
    'memcache_gateway_arena_bytes',
    'Bytes of the arena by state; only small values can take reserve_free, waiting are those asked for and not yet given.',
    () => {
      const { totalBytes, usedBytes, waitingBytes } = engine.arena.stats();
      const { reserveFreeBytes } = engine.arena.pressure();
      return {
        used: usedBytes,
        free: totalBytes - usedBytes - reserveFreeBytes,
        reserve_free: reserveFreeBytes,
        waiting: waitingBytes,
      };
    },
  );
  registerPolled(registry, {
    name: 'memcache_gateway_arena_refusals_total',
    help: 'Requests refused because the arena had no room for them in time.',
    type: 'counter',
    read: () => [{ value: engine.arena.pressure().refusals, labels: {} }],
  });
  registerPolled(registry, {
    name: 'memcache_gateway_arena_refusing',
    help: 'Workers whose arena has had no room for what it refused, for longer than --arena-wait-ms.',
    type: 'gauge',
    read: () => [{ value: isRefusing() ? 1 : 0, labels: {} }],
  });
  registerPolled(registry, {
    name: 'memcache_gateway_arena_waiters',
    help: 'Requests that wait for room in the arena.',
    type: 'gauge',
    read: () => [{ value: engine.arena.stats().waiters, labels: {} }],
  });
  registerPolled(registry, {
    name: 'memcache_gateway_arena_blocks',
    help: 'Blocks of the arena in use.',
    type: 'gauge',
    read: () => [{ value: engine.arena.stats().blocks, labels: {} }],
  });
}
