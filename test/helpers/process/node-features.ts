/** The worker's Node features beyond the documented API, in the process of a test. */

import type { DisabledFeatures } from '../../../src/node-internals/feature-names.ts';
import { probeWorkerFeatures } from '../../../src/node-internals/probe-features.ts';
import { socketPair } from '../../../src/os/socket-pair.ts';

/** Probes them as a worker does, but without a supervisor that returns handles. */
export function probeFeatures(disabled: DisabledFeatures = []): Promise<void> {
  return probeWorkerFeatures({
    disabled,
    socketPair,
    echo: (handle) => Promise.resolve(handle),
  });
}
