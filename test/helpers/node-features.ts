/** The worker's shortcuts past the documented Node API, in the process of a test. */
import { socketPair } from '../../src/native/socket-pair.ts';
import type { DisabledFeatures } from '../../src/node-internals/feature-names.ts';
import { probeWorkerFeatures } from '../../src/node-internals/probe-features.ts';

/** Probes them as a worker does, but handles come back without a supervisor. */
export function probeFeatures(disabled: DisabledFeatures = []): Promise<void> {
  return probeWorkerFeatures({
    disabled,
    socketPair,
    echo: (handle) => Promise.resolve(handle),
  });
}
