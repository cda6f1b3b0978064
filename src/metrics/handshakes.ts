import type { MetricJson } from '../messages/protocol.ts';
import { registerPolled } from './polled.ts';
import type { MetricSink } from './registry.ts';

const fixed = {
  name: 'memcache_gateway_tls_handshakes_failed_total',
  help: 'TLS handshakes that failed, by reason.',
  type: 'counter',
} as const;

const valuesOf = (counts: ReadonlyMap<string, number>) =>
  [...counts].map(([reason, value]) => ({ value, labels: { reason } }));

/** The failed handshakes of the supervisor, in the form of a worker's metric, to be added to those. */
export const handshakesOfSupervisor = (counts: ReadonlyMap<string, number>): MetricJson =>
  ({ ...fixed, aggregator: 'sum', values: valuesOf(counts) }) as MetricJson;

/** Registers the count of failed handshakes of a worker, and returns the function that counts one. */
export function handshakeMetrics<Fault extends string>(
  registry: MetricSink,
  faults: readonly Fault[],
): (fault: Fault) => void {
  const counts = new Map<Fault, number>(faults.map((fault) => [fault, 0]));
  registerPolled(registry, {
    ...fixed,
    read: () => valuesOf(counts),
  });
  return (fault) => void counts.set(fault, (counts.get(fault) ?? 0) + 1);
}
