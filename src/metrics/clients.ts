import type { ClientRefusals } from '../http/clients/client.ts';
import type { Arena } from '../native/abi/types.ts';
import { registerNumber, registerPolled } from './polled.ts';
import type { MetricSink } from './registry.ts';

/** What is known of single clients, without their names. */
export function clientMetrics(
  registry: MetricSink,
  clients: { readonly size: number; readonly refusals: Readonly<ClientRefusals> },
  arena: Pick<Arena, 'pressure'>,
  text: { readonly shareRefusals: number },
): void {
  registerNumber(registry, {
    name: 'memcache_gateway_clients',
    help: 'Clients, by token, client certificate or address, that have requests in flight or had some lately.',
    type: 'gauge',
    read: () => clients.size,
  });
  registerPolled(registry, {
    name: 'memcache_gateway_client_refusals_total',
    help: 'Requests that got 429, by the limit of the client.',
    type: 'counter',
    read: () =>
      Object.entries({
        ...clients.refusals,
        'arena-bytes': arena.pressure().shareRefusals,
        'text-bytes': text.shareRefusals,
      }).map(([limit, value]) => ({ value, labels: { limit } })),
  });
}
