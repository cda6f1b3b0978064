import type { StoreCounts } from '../store/object-store.ts';
import { registerPolled } from './polled.ts';
import type { MetricSink } from './registry.ts';

/** What coalescing, shared reads and remembered sizes save the engine; and who waits for it. */
export function storeMetrics(
  registry: MetricSink,
  store: { counts(): StoreCounts },
  batches: { readonly waiting: number },
): void {
  const register = (
    name: string,
    type: 'counter' | 'gauge',
    member: keyof StoreCounts,
    help: string,
  ): void =>
    registerPolled(registry, {
      name: `memcache_gateway_${name}`,
      help,
      type,
      read: () => [{ value: store.counts()[member], labels: {} }],
    });
  register(
    'coalesced_keys_total',
    'counter',
    'keys',
    'Keys that single operations have sent to the engine through coalescing.',
  );
  register(
    'coalesced_calls_total',
    'counter',
    'calls',
    'Engine calls that these keys went in; fewer than keys where calls were shared.',
  );
  register(
    'coalescing_waiting',
    'gauge',
    'waiting',
    'Operations that wait for an engine call to return, to leave with the next.',
  );
  registerPolled(registry, {
    name: 'memcache_gateway_batch_calls_waiting',
    help: 'Engine calls of batches that wait for their turn.',
    type: 'gauge',
    read: () => [{ value: batches.waiting, labels: {} }],
  });
  register(
    'shared_reads_total',
    'counter',
    'sharedReads',
    'Reads that were given the block of another read of the same object.',
  );
  register(
    'sized_reads_total',
    'counter',
    'sizedReads',
    'Reads that needed no query, since the size was remembered.',
  );
  register(
    'stale_sizes_total',
    'counter',
    'staleReads',
    'Remembered sizes that turned out to have changed.',
  );
  register('known_sizes', 'gauge', 'knownSizes', 'Sizes of objects that are remembered.');
}
