import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Registry } from 'prom-client';
import { HttpMetrics } from '../../../src/metrics/http.ts';

const route = '/v1/objects/{key}';

describe('HttpMetrics', () => {
  it('counts requests by method, route and status, and sums the bytes', async () => {
    const registry = new Registry();
    const metrics = new HttpMetrics(registry, () => 3);
    metrics.observe(route, 'GET', 200, 0.02, 0, 1000);
    metrics.observe(route, 'GET', 200, 0.03, 0, 24);
    metrics.observe(route, 'PUT', 201, 0.001, 5, 0);
    metrics.observe(route, 'GET', 0, 0.001, 7, 0);
    const text = await registry.metrics();
    const count = (method: string, status: string) =>
      `http_server_request_duration_seconds_count{http_request_method="${method}",http_route="${route}",http_response_status_code="${status}"}`;
    for (const line of [
      `${count('GET', '200')} 2`,
      `${count('PUT', '201')} 1`,
      `${count('GET', 'aborted')} 1`,
      'memcache_gateway_http_received_bytes_total 12',
      'memcache_gateway_http_sent_bytes_total 1024',
      'memcache_gateway_http_requests_in_flight 3',
    ]) {
      assert.ok(text.split('\n').includes(line), `${line}\n${text}`);
    }
  });

  it('returns the same numbers in two scrapes', async () => {
    const registry = new Registry();
    new HttpMetrics(registry, () => 0).observe(route, 'GET', 200, 0.02, 1, 2);
    assert.equal(await registry.metrics(), await registry.metrics());
  });

  it('counts unknown methods under one label, however many there are', async () => {
    const registry = new Registry();
    const metrics = new HttpMetrics(registry, () => 0);
    for (let i = 0; i < 100; i++) metrics.observe('other', `X${i}`, 405, 0.001, 0, 0);
    for (const name of ['__proto__', 'constructor'])
      metrics.observe('other', name, 405, 0.001, 0, 0);
    const counts = (await registry.metrics()).split('\n').filter((line) => /_count\{/.test(line));
    assert.deepEqual(counts, [
      'http_server_request_duration_seconds_count{http_request_method="_OTHER",http_route="other",http_response_status_code="405"} 102',
    ]);
  });
});
