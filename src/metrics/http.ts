import { type HotHistogram, hotHistogram, type Series } from './histogram.ts';
import { registerNumber, registerPolled } from './polled.ts';
import type { MetricSink } from './registry.ts';

/** OpenTelemetry's advice for http.server.request.duration, in seconds. */
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
/** The methods of RFC 9110 and RFC 5789. */
const KNOWN_METHODS = [
  'GET',
  'HEAD',
  'PUT',
  'DELETE',
  'POST',
  'PATCH',
  'OPTIONS',
  'CONNECT',
  'TRACE',
];

/** Requests by method, route template and status, and the bytes of their bodies. No metric contains a key. */
export class HttpMetrics {
  readonly #durations: HotHistogram;
  readonly #series = new Map<string, Map<string, (Series | undefined)[]>>();
  readonly #clientsGone = new Map<string, number>();
  #received = 0;
  #sent = 0;

  /** `inFlight` is the number of requests that are being served. */
  constructor(registry: MetricSink, inFlight: () => number) {
    this.#durations = hotHistogram(
      registry,
      'http_server_request_duration_seconds',
      'Duration of HTTP requests from the end of the request head to the last byte of the response.',
      BUCKETS,
    );
    registerNumber(registry, {
      name: 'memcache_gateway_http_received_bytes_total',
      help: 'Bytes of request bodies received.',
      type: 'counter',
      read: () => this.#received,
    });
    registerNumber(registry, {
      name: 'memcache_gateway_http_sent_bytes_total',
      help: 'Bytes of response bodies sent.',
      type: 'counter',
      read: () => this.#sent,
    });
    registerNumber(registry, {
      name: 'memcache_gateway_http_requests_in_flight',
      help: 'Requests in flight.',
      type: 'gauge',
      read: inFlight,
    });
    registerPolled(registry, {
      name: 'memcache_gateway_client_disconnects_total',
      help: 'Requests whose client disconnected before it had received the whole response.',
      type: 'counter',
      read: () =>
        [...this.#clientsGone].map(([route, value]) => ({ value, labels: { http_route: route } })),
    });
  }

  /** A request that ended: `status` 0 when its connection closed before there was one. */
  observe(
    route: string,
    method: string,
    status: number,
    seconds: number,
    bytesIn: number,
    bytesOut: number,
  ): void {
    // The lookups of a known series allocate nothing.
    const known = this.#series.get(route)?.get(method)?.[status];
    this.#durations.observe(known ?? this.#seriesOf(route, method, status), seconds);
    this.#received += bytesIn;
    this.#sent += bytesOut;
  }

  /** A request whose client disconnected before it had received the whole response. */
  clientGone(route: string): void {
    this.#clientsGone.set(route, (this.#clientsGone.get(route) ?? 0) + 1);
  }

  /** Requests of a route that have ended, whatever their status. */
  requests(route: string, method: string): number {
    let total = 0;
    for (const series of this.#series.get(route)?.get(method) ?? []) {
      for (const count of series?.counts ?? []) total += count;
    }
    return total;
  }

  #seriesOf(route: string, method: string, status: number): Series {
    const methods = this.#series.get(route) ?? new Map<string, (Series | undefined)[]>();
    this.#series.set(route, methods);
    const name = KNOWN_METHODS.includes(method) ? method : '_OTHER';
    const statuses = methods.get(name) ?? [];
    methods.set(name, statuses);
    const series =
      statuses[status] ??
      this.#durations.series({
        http_request_method: name,
        http_route: route,
        http_response_status_code: status === 0 ? 'aborted' : String(status),
      });
    statuses[status] = series;
    return series;
  }
}
