import { registerPolled } from './polled.ts';
import type { MetricSink } from './registry.ts';

/** How much of the text budget is held. */
export function textMetrics(
  registry: MetricSink,
  text: { readonly held: number; readonly most: number },
): void {
  const register = (name: string, help: string, read: () => number): void =>
    registerPolled(registry, {
      name: `memcache_gateway_${name}`,
      help,
      type: 'gauge',
      read: () => [{ value: read(), labels: {} }],
    });
  register(
    'text_held_bytes',
    'Bytes of the text budget that requests hold: JSON, headers and items of batches.',
    () => text.held,
  );
  register('text_limit_bytes', 'Bytes of the text budget; beyond it 503.', () => text.most);
}
