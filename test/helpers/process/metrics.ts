import assert from 'node:assert/strict';
import { until } from './until.ts';

/** Returns the samples of /metrics, by name and labels as written. */
export async function metricsOf(url: string): Promise<Map<string, number>> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const samples = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    samples.map((line) => {
      const space = line.lastIndexOf(' ');
      return [line.slice(0, space), Number(line.slice(space + 1))];
    }),
  );
}

/** Returns one sample; a missing metric fails the test instead of counting as 0. */
export async function metric(url: string, name: string): Promise<number> {
  const value = (await metricsOf(url)).get(name);
  assert.notEqual(value, undefined, `no metric ${name}`);
  return value as number;
}

export const usedBytes = 'memcache_gateway_arena_bytes{state="used"}';
export const usedBlocks = 'memcache_gateway_arena_blocks';
export const arenaWaiters = 'memcache_gateway_arena_waiters';
export const requestsInFlight = 'memcache_gateway_http_requests_in_flight';

/** Waits until every block is free and no request is in flight except the one for the metrics. */
export async function untilIdle(url: string): Promise<void> {
  await until(
    async () => {
      const now = await metricsOf(url);
      return (
        now.get(usedBytes) === 0 && now.get(usedBlocks) === 0 && now.get(requestsInFlight) === 1
      );
    },
    { what: 'the arena is empty and no request in flight' },
  );
}
