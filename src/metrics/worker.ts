import { registerNumber, registerPolled } from './polled.ts';
import type { MetricSink } from './registry.ts';

export interface WorkerSources {
  readonly device: number;
  /** The part of its file descriptors that the process has open; undefined where it is not known. */
  readonly descriptorShare: () => number | undefined;
  readonly isCircuitOpen: () => boolean;
}

/** The state of one worker as a whole. */
export function workerMetrics(registry: MetricSink, sources: WorkerSources): void {
  const { device, descriptorShare, isCircuitOpen } = sources;
  registerPolled(registry, {
    name: 'memcache_gateway_worker_descriptors_ratio',
    help: 'Part of its file descriptors (ulimit -n) that the worker of a device has open, from 0 to 1. At 1, new connections wait in the queue of the kernel.',
    type: 'gauge',
    read() {
      const value = descriptorShare();
      return value === undefined ? [] : [{ value, labels: { device: String(device) } }];
    },
  });
  registerNumber(registry, {
    name: 'memcache_gateway_circuit_open',
    help: 'Workers whose circuit breaker is open: engine calls hang, and the worker refuses requests at once.',
    type: 'gauge',
    read: () => (isCircuitOpen() ? 1 : 0),
  });
}
