import type { StoreCounts } from '../store/object-store.ts';
import { registerNumber } from './polled.ts';
import type { MetricSink } from './registry.ts';

const metrics: readonly ['counter' | 'gauge', string, keyof StoreCounts, string][] = [
  [
    'counter',
    'coalesced_keys_total',
    'keys',
    'Keys in engine calls that single operations may share.',
  ],
  [
    'counter',
    'coalesced_calls_total',
    'calls',
    'Engine calls for these keys; fewer than keys when operations shared calls.',
  ],
  [
    'gauge',
    'coalescing_waiting',
    'waiting',
    'Operations that wait for the next shared engine call.',
  ],
  ['gauge', 'room_waiters', 'roomWaiters', 'Puts that wait for room in a full pool.'],
  [
    'counter',
    'room_waits_total',
    'roomWaits',
    'Puts that have waited for room in a full pool (--put-wait-ms).',
  ],
  [
    'counter',
    'shared_reads_total',
    'sharedReads',
    'Reads that received the block of another read of the same object.',
  ],
  [
    'counter',
    'sized_reads_total',
    'sizedReads',
    'Reads that needed no query, because the size was remembered.',
  ],
  [
    'counter',
    'stale_sizes_total',
    'staleReads',
    'Remembered sizes that turned out to have changed.',
  ],
  ['gauge', 'known_sizes', 'knownSizes', 'Objects whose size is remembered.'],
];

/** The engine calls that coalescing, shared reads and remembered sizes save, and the operations that wait. */
export function storeMetrics(
  registry: MetricSink,
  store: { counts(): StoreCounts },
  batches: { readonly waiting: number },
): void {
  for (const [type, name, member, help] of metrics) {
    const read = () => store.counts()[member];
    registerNumber(registry, { type, name: `memcache_gateway_${name}`, help, read });
  }
  registerNumber(registry, {
    name: 'memcache_gateway_batch_calls_waiting',
    help: 'Engine calls of batches that wait for their turn.',
    type: 'gauge',
    read: () => batches.waiting,
  });
}
