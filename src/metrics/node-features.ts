import type { NodeFeature } from '../node-internals/node-features.ts';
import { registerPolled } from './polled.ts';
import type { MetricSink } from './registry.ts';

const STATES = ['on', 'failed', 'disabled'] as const;

/** For each undocumented Node feature, 1 for its state and 0 for the other states. */
export function nodeFeatureMetrics(registry: MetricSink, read: () => readonly NodeFeature[]): void {
  registerPolled(registry, {
    name: 'memcache_gateway_node_feature',
    help: 'Workers in which an undocumented Node feature is on, has failed its probe, or is disabled.',
    type: 'gauge',
    read: () =>
      read().flatMap(({ name, state }) =>
        STATES.map((each) => ({
          value: each === state ? 1 : 0,
          labels: { feature: name, state: each },
        })),
      ),
  });
}
