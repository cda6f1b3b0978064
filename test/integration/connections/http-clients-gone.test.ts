/** A disconnected client is not an error, neither of the gateway nor of the engine. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { createInjection, injectingLibrary } from '../../helpers/engine/injecting.ts';
import { withBothLanes } from '../../helpers/http/lanes.ts';
import {
  connectRaw,
  onConnection,
  requestHead,
  slugOf,
} from '../../helpers/http/raw-connection.ts';
import { requestTo } from '../../helpers/http/requests.ts';
import { metric, metricsOf, untilIdle } from '../../helpers/process/metrics.ts';
import { until } from '../../helpers/process/until.ts';

/** Longer than the time from the request to the reset on a busy machine. */
const deadlineMs = 1500;
const gone = 'memcache_gateway_client_disconnects_total';
const late = 'memcache_gateway_engine_calls{state="late"}';
const injections: ReturnType<typeof createInjection>[] = [];
after(() => {
  for (const injection of injections) injection.dispose();
});

async function hangingEngine() {
  const injection = createInjection();
  injections.push(injection);
  const engine = ['--engine', await injectingLibrary()];
  return { args: [...engine, '--deadline-ms', String(deadlineMs)], env: injection.env };
}

withBothLanes(hangingEngine, (gateway) => {
  const { store, newKey } = requestTo(gateway);

  /** Runs `work` while every get and put hangs; then lets all of them return. */
  async function hanging(work: () => Promise<void>): Promise<void> {
    const injection = injections.at(-1);
    assert.ok(injection);
    await injection.set([{ on: ['get', 'put', 'batch_get', 'batch_put'], hang: true }]);
    try {
      await work();
    } finally {
      await injection.clear();
    }
    await untilIdle(gateway().url);
  }

  describe('a client whose engine calls hang past their deadline', () => {
    it('is counted and logged as disconnected after a reset, and never as a 504', async () => {
      const key = await store('x');
      const body = JSON.stringify({ keys: [key] });
      const json = { 'Content-Type': 'application/json', 'Content-Length': body.length };
      const requests = [
        ['/v1/objects/{key}', requestHead('GET', `/v1/objects/${key}`)],
        [
          '/v1/objects/{key}',
          `${requestHead('PUT', `/v1/objects/${newKey('left')}`, { 'Content-Length': 1 })}x`,
        ],
        ['/v1/batch/get', requestHead('POST', '/v1/batch/get', json) + body],
      ] as const;
      await hanging(async () => {
        const clients = await Promise.all(requests.map(() => connectRaw(gateway().port)));
        for (const [at, [, text]] of requests.entries()) clients[at]?.send(text);
        const inFlight = 'memcache_gateway_engine_calls{state="in_flight"}';
        await until(async () => (await metric(gateway().url, inFlight)) >= requests.length);
        for (const { socket } of clients) socket.resetAndDestroy();
        await until(async () => (await metric(gateway().url, late)) >= requests.length);
      });
      const samples = await metricsOf(gateway().url);
      assert.equal(samples.get(`${gone}{http_route="/v1/objects/{key}"}`), 2);
      assert.equal(samples.get(`${gone}{http_route="/v1/batch/get"}`), 1);
      const statuses = [...samples.keys()].filter((name) => name.includes('_code="504"'));
      assert.deepEqual(statuses, []);
      const left = () =>
        gateway()
          .logged()
          .filter(({ msg }) => msg === 'client disconnected');
      await until(() => left().length === requests.length);
      assert.deepEqual(
        new Set(left().map(({ level, status }) => `${level} ${status}`)),
        new Set(['info 0']),
      );
      assert.deepEqual(
        gateway()
          .logged()
          .filter(({ problem }) => problem !== undefined),
        [],
      );
    });

    it('gets the 504 when it has only ended its side', async () => {
      const path = `/v1/objects/${await store('x')}`;
      await hanging(() =>
        onConnection(gateway().port, async ({ socket, next }) => {
          socket.end(requestHead('GET', path));
          const answer = await next({ path });
          assert.deepEqual([answer.status, slugOf(answer)], [504, 'engine-timeout']);
        }),
      );
    });
  });
});
