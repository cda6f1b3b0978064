import { registerNumber } from './polled.ts';
import type { MetricSink } from './registry.ts';

/** Use and limit of the text budget. */
export function textMetrics(
  registry: MetricSink,
  text: { readonly held: number; readonly most: number },
): void {
  registerNumber(registry, {
    name: 'memcache_gateway_text_held_bytes',
    help: 'Bytes of the text budget that requests hold: JSON, headers and items of batches.',
    type: 'gauge',
    read: () => text.held,
  });
  registerNumber(registry, {
    name: 'memcache_gateway_text_limit_bytes',
    help: 'Bytes of the text budget; requests that exceed it get 503.',
    type: 'gauge',
    read: () => text.most,
  });
}
