/** An engine in which every call hangs, and the worker that must survive it. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { batchesOf } from '../../helpers/bodies/batches.ts';
import {
  createInjection,
  dataFunctions,
  type Injection,
  injectingLibrary,
} from '../../helpers/engine/injecting.ts';
import { requestTo } from '../../helpers/http/requests.ts';
import type { RawResponse } from '../../helpers/openapi/openapi.ts';
import { type ReadyGateway, startGateway } from '../../helpers/process/gateway.ts';
import { lowestOf } from '../../helpers/process/lowest.ts';
import { metric } from '../../helpers/process/metrics.ts';
import { until } from '../../helpers/process/until.ts';

const deadlineMs = 500;
/** For a request that waits for the deadline once. Other programs on the machine add to it. */
const toleratedMs = 3 * deadlineMs;
const burst = 6;
const up = 'memcache_gateway_worker_up{device="0"}';

for (const flags of [
  [],
  ['--coalescing', 'off', '--single-flight', 'off'],
  ['--call-slots', '2'],
]) {
  describe(`an engine whose calls all hang${flags.length > 0 ? `, with ${flags.join(' ')}` : ''}`, () => {
    let injection: Injection;
    let running: ReadyGateway | undefined;
    const gateway = () => running ?? assert.fail('not started');
    beforeEach(async () => {
      injection = createInjection();
      running = await startGateway({
        args: ['--engine', await injectingLibrary(), '--deadline-ms', String(deadlineMs), ...flags],
        env: injection.env,
      });
    });
    afterEach(async () => {
      await running?.kill();
      injection.dispose();
    });
    const { request, problem, store, newKey } = requestTo(gateway);
    const { post } = batchesOf(gateway);
    const readiness = () => request('GET', '', {}, '/readyz');

    /** On a busy machine the first calls after a start may exceed the short deadline. */
    async function storeFirst(): Promise<string> {
      let key: string | undefined;
      await until(async () => {
        key = await store('x').catch(() => undefined);
        return key !== undefined;
      });
      return key ?? assert.fail('not stored');
    }

    /** The status of the whole response, or the lowest one of its items. */
    function statusOf(answer: RawResponse): number {
      if (answer.status !== 200 || answer.headers['batch-failed'] === undefined)
        return answer.status;
      const { items } = JSON.parse(answer.body.toString()) as { items: { status: number }[] };
      return Math.min(...items.map(({ status }) => status));
    }

    function operationsOn(key: string): Record<string, () => Promise<RawResponse>> {
      const keys = JSON.stringify({ keys: [key] });
      const items = () => JSON.stringify({ items: [{ key: newKey('batch'), value: 'eA==' }] });
      return {
        GET: () => request('GET', key),
        HEAD: () => request('HEAD', key),
        PUT: () => request('PUT', newKey('put'), { body: 'x' }),
        'large PUT': () => request('PUT', newKey('put'), { body: Buffer.alloc(600_000) }),
        'PUT ifExists=replace': () => request('PUT', `${key}?ifExists=replace`, { body: 'y' }),
        DELETE: () => request('DELETE', newKey('none')),
        info: () => request('GET', key, {}, 'info'),
        'batch get': () => post('get', keys),
        'batch exists': () => post('exists', keys),
        'batch info': () => post('info', keys),
        'batch remove': () => post('remove', JSON.stringify({ keys: [newKey('none')] })),
        'batch put': () => post('put', items()),
      };
    }

    async function timed(operation: () => Promise<RawResponse>) {
      const since = performance.now();
      const answer = await operation();
      return { status: statusOf(answer), ms: performance.now() - since, answer };
    }

    it('causes 504 at the deadline, then 503 at once, and 200 soon after its recovery', async () => {
      const key = await storeFirst();
      const operations = Object.entries(operationsOn(key));
      assert.equal((await readiness()).status, 200);
      // The first calls of the test itself are slow, so they are not measured.
      for (const [, operation] of operations) await operation();
      assert.equal((await request('PUT', `${key}?ifExists=replace`, { body: 'x' })).status, 200);
      await injection.set([{ on: dataFunctions, hang: true }]);
      for (const [name, operation] of operations) {
        // Requests that share one call make only one call late; after a few turns all allowed calls are late.
        for (let turn = 0; ; turn += 1) {
          const answers = await Promise.all(Array.from({ length: burst }, () => timed(operation)));
          const statuses = answers.map(({ status }) => status);
          assert.ok(
            statuses.every((status) => status === 504 || status === 503),
            `${name} ${statuses}`,
          );
          const all = answers.map(({ ms }) => ms);
          assert.ok(Math.min(...all) < toleratedMs, `${name} took ${all} ms`);
          if (!statuses.includes(504)) break;
          assert.ok(turn < 6, `${name} ${statuses}`);
        }
      }
      for (const [name, operation] of operations) {
        const tookMs = await lowestOf(10, deadlineMs / 2, async () => {
          const { status, ms, answer } = await timed(operation);
          assert.equal(status, 503, name);
          if (name !== 'HEAD') assert.match(answer.body.toString(), /engine-stuck/, name);
          if (answer.status === 503) assert.equal(answer.headers['retry-after'], '2', name);
          return ms;
        });
        assert.ok(tookMs < deadlineMs / 2, `${name} took ${tookMs} ms`);
      }
      const { json } = await problem('GET', '', 503, 'not-ready', {}, '/readyz');
      assert.match(
        String(json['detail']),
        /^Engine calls are past their deadline of 500 ms: \d+ of /,
      );
      assert.equal((await request('GET', '', {}, '/livez')).status, 200);
      await until(async () => (await metric(gateway().url, up)) === 0);

      const recovered = performance.now();
      await injection.clear();
      await until(async () => (await readiness()).status === 200);
      assert.equal((await request('GET', key)).status, 200);
      const tookMs = performance.now() - recovered;
      assert.ok(tookMs < 10_000, `${tookMs} ms`);
      for (const [name, operation] of operations.filter(([name]) => name !== 'DELETE')) {
        const status = statusOf(await operation());
        assert.ok([200, 201, 204, 404].includes(status), `${name} ${status}`);
      }
      await until(async () => (await metric(gateway().url, up)) === 1);
      const reported = () =>
        gateway()
          .logged()
          .map(({ msg }) => String(msg))
          .filter((message) => /^worker (is degraded|has recovered)/.test(message));
      await until(() => reported().length >= 2);
      assert.deepEqual(reported(), [
        'worker is degraded: engine calls hang',
        'worker has recovered: engine calls return',
      ]);
      assert.deepEqual(await gateway().stop(), { code: 0, signal: null });
    });

    it('does not delay the recovery when its late calls still hang', async () => {
      const key = await storeFirst();
      const operations = Object.entries(operationsOn(key));
      for (const [, operation] of operations) await operation();
      // Each call hangs as long as the engine's longest (docs/engine-facts.md §7), even after the
      // rules are cleared.
      await injection.set([{ on: dataFunctions, delayOutsideUs: 60_000_000 }]);
      const lost = performance.now();
      const isRefused = async (operation: () => Promise<RawResponse>) =>
        (await timed(operation)).status === 503;
      const untilRefused = (operation: () => Promise<RawResponse>) =>
        until(async () => {
          const answers = Array.from({ length: burst }, () => isRefused(operation));
          return (await Promise.all(answers)).every(Boolean);
        });
      await Promise.all(operations.map(([, operation]) => untilRefused(operation)));
      assert.equal((await readiness()).status, 503);
      const recovered = performance.now();
      await injection.clear();
      await until(async () => (await readiness()).status === 200);
      for (const [name, operation] of operations.filter(([name]) => name !== 'DELETE')) {
        const status = statusOf(await operation());
        assert.ok([200, 201, 404].includes(status), `${name} ${status}`);
      }
      // The interval between probes grows with the time since the last one returned.
      const tookMs = performance.now() - recovered;
      assert.ok(tookMs < Math.max(10_000, recovered - lost), `${tookMs} ms`);
      const late = await metric(gateway().url, 'memcache_gateway_engine_calls{state="late"}');
      assert.ok(late >= 2, `${late} calls hang`);
    });
  });
}
