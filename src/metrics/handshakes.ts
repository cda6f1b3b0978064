import { registerPolled } from './polled.ts';
import type { MetricSink } from './registry.ts';

/** Registers the count of failed handshakes of a worker, and returns the function that counts one. */
export function handshakeMetrics<Fault extends string>(
  registry: MetricSink,
  faults: readonly Fault[],
): (fault: Fault) => void {
  const counts = new Map<Fault, number>(faults.map((fault) => [fault, 0]));
  registerPolled(registry, {
    name: 'memcache_gateway_tls_handshakes_failed_total',
    help: 'TLS handshakes that failed, by reason.',
    type: 'counter',
    read: () => [...counts].map(([reason, value]) => ({ value, labels: { reason } })),
  });
  return (fault) => void counts.set(fault, (counts.get(fault) ?? 0) + 1);
}
