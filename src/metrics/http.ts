import { hotHistogram, type Series } from './histogram.ts';
import { registerPolled } from './polled.ts';
import type { MetricSink } from './registry.ts';

/** OpenTelemetry's advice for http.server.request.duration, in seconds. */
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
/** Those of RFC 9110 and RFC 5789. */
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

export interface HttpMetrics {
  /** A request that ended: `status` 0 when its connection closed before there was one. */
  observe(
    route: string,
    method: string,
    status: number,
    seconds: number,
    bytesIn: number,
    bytesOut: number,
  ): void;
  /** A request whose client left before it had the whole response. */
  clientGone(route: string): void;
}

/** Requests by method, route template and status, and the bytes of their bodies. Never a key. */
export function httpMetrics(registry: MetricSink, inFlight: () => number): HttpMetrics {
  const durations = hotHistogram(
    registry,
    'http_server_request_duration_seconds',
    'Duration of HTTP requests, from their head to the last byte of the response.',
    BUCKETS,
  );
  let received = 0;
  let sent = 0;
  registerPolled(registry, {
    name: 'memcache_gateway_http_received_bytes_total',
    help: 'Bytes of request bodies received.',
    type: 'counter',
    read: () => [{ value: received, labels: {} }],
  });
  registerPolled(registry, {
    name: 'memcache_gateway_http_sent_bytes_total',
    help: 'Bytes of response bodies sent.',
    type: 'counter',
    read: () => [{ value: sent, labels: {} }],
  });
  registerPolled(registry, {
    name: 'memcache_gateway_http_requests_in_flight',
    help: 'Requests that are being served.',
    type: 'gauge',
    read: () => [{ value: inFlight(), labels: {} }],
  });
  const gone = new Map<string, number>();
  registerPolled(registry, {
    name: 'memcache_gateway_client_gone_total',
    help: 'Requests whose client went away before it had the whole response.',
    type: 'counter',
    read: () => [...gone].map(([route, value]) => ({ value, labels: { http_route: route } })),
  });
  const known = new Map<string, Map<string, Series[]>>();

  function seriesOf(route: string, method: string, status: number): Series {
    const methods = known.get(route) ?? new Map<string, Series[]>();
    known.set(route, methods);
    const name = KNOWN_METHODS.includes(method) ? method : '_OTHER';
    const statuses = methods.get(name) ?? [];
    methods.set(name, statuses);
    const series =
      statuses[status] ??
      durations.series({
        http_request_method: name,
        http_route: route,
        http_response_status_code: status === 0 ? 'aborted' : String(status),
      });
    statuses[status] = series;
    return series;
  }

  return {
    clientGone(route) {
      gone.set(route, (gone.get(route) ?? 0) + 1);
    },
    observe(route, method, status, seconds, bytesIn, bytesOut) {
      // The lookups of a known series allocate nothing.
      const series = known.get(route)?.get(method)?.[status] ?? seriesOf(route, method, status);
      durations.observe(series, seconds);
      received += bytesIn;
      sent += bytesOut;
    },
  };
}
