/** Batches that fill their share of the call slots, and the requests that are still served. */
import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { batchesOf } from '../../helpers/bodies/batches.ts';
import { readSafetensors, safetensorsOf } from '../../helpers/bodies/safetensors.ts';
import {
  createInjection,
  type Injection,
  injectingLibrary,
  type Rule,
} from '../../helpers/engine/injecting.ts';
import { connectRaw, requestHead } from '../../helpers/http/raw-connection.ts';
import { requestTo } from '../../helpers/http/requests.ts';
import { type ReadyGateway, startGateway } from '../../helpers/process/gateway.ts';
import { metric, untilIdle } from '../../helpers/process/metrics.ts';
import { until } from '../../helpers/process/until.ts';

const tensors = 'application/vnd.safetensors';
const asTensors = { 'content-type': 'application/json', accept: tensors };
const inFlight = 'memcache_gateway_engine_calls{state="in_flight"}';
const waiting = 'memcache_gateway_batch_calls_waiting';

/** A gateway with an engine whose calls hang by injected rules. */
function withSlots(args: readonly string[], suite: (gateway: Gateway) => void): void {
  let gateway: ReadyGateway | undefined;
  let injection: Injection | undefined;
  const started = () => gateway ?? assert.fail('the gateway has not started');
  before(async () => {
    injection = createInjection();
    gateway = await startGateway({
      args: ['--engine', await injectingLibrary(), ...args],
      env: { GATEWAY_DEBUG_ARENA: '1', ...injection.env },
    });
  });
  after(async () => {
    await gateway?.kill();
    injection?.dispose();
  });
  const injecting = () => injection ?? assert.fail('no injection');
  suite({
    ...batchesOf(started),
    ...requestTo(started),
    injecting,
    port: () => started().port,
    now: (name) => metric(started().url, name),
    async under(rules, work) {
      await injecting().set(rules);
      try {
        await work();
      } finally {
        await injecting().clear();
      }
      await untilIdle(started().url);
      await until(async () => (await metric(started().url, inFlight)) === 0);
    },
  });
}

type Gateway = ReturnType<typeof batchesOf> &
  ReturnType<typeof requestTo> & {
    injecting(): Injection;
    port(): number;
    now(name: string): Promise<number>;
    /** Runs `work` under the rules, then checks that no call and no block remains. */
    under(rules: readonly Rule[], work: () => Promise<void>): Promise<void>;
  };

const many = <T>(count: number, make: (index: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, index) => make(index)));

for (const coalescing of ['on', 'off']) {
  describe(`large batches, more than there are call slots, with coalescing ${coalescing}`, () => {
    // All 24 batches of a test fit into the arena at the same time: none waits for anything but a slot.
    const limits = ['--call-slots', '9', '--deadline-ms', '60000', '--arena-bytes', '96MiB'];
    withSlots(
      [...limits, '--coalescing', coalescing],
      ({ request, post, batch, store, value, newKey, injecting, under, now, port }) => {
        const large = () => many(4, () => store(randomBytes(400_000)));

        it('that move values do not block single operations and batches that query', async () => {
          const keys = await large();
          const bodies = await Promise.all(keys.map((key) => value(key)));
          const small = await store('x'.repeat(1024));
          const body = JSON.stringify({ keys });
          await under([{ on: ['batch_get', 'batch_put'], hang: true }], async () => {
            const gets = many(12, () => post('get', body, asTensors));
            const puts = many(12, () => {
              const values = bodies.map((bytes) => [randomUUID(), bytes] as const);
              return post('put', safetensorsOf(values), { 'content-type': tensors });
            });
            await until(async () => (await now(inFlight)) + (await now(waiting)) === 24);
            const returned = () =>
              injecting().counters('batch_get').returned +
              injecting().counters('batch_put').returned;
            const before = returned();

            assert.equal((await request('HEAD', small)).status, 200);
            assert.equal((await value(small)).length, 1024);
            const key = newKey('beside');
            assert.equal((await request('PUT', key, { body: 'x' })).status, 201);
            assert.equal((await request('DELETE', key)).status, 204);
            assert.equal((await batch('exists', { keys })).failed, 0);
            assert.equal((await batch('info', { keys })).failed, 0);
            assert.equal((await request('GET', '', {}, '/readyz')).status, 200);
            assert.equal(returned(), before, 'no batch call has returned meanwhile');

            await injecting().clear();
            for (const { body: file } of await gets) {
              assert.deepEqual([...readSafetensors(file).tensors.values()], bodies);
            }
            for (const { status, headers } of await puts) {
              assert.deepEqual([status, headers['batch-failed']], [200, '0']);
            }
          });
          assert.equal(await now(waiting), 0);
        });

        it('that query do not block single operations and batches that move values', async () => {
          const keys = await large();
          await under([{ on: ['batch_exist', 'batch_query'], hang: true }], async () => {
            const asked = many(12, (at) => batch(at % 2 === 0 ? 'exists' : 'info', { keys }));
            await until(async () => (await now(waiting)) === 11);
            assert.equal((await request('HEAD', keys[0] as string)).status, 200);
            const values = [[randomUUID(), randomBytes(400_000)]] as const;
            const put = await post('put', safetensorsOf(values), { 'content-type': tensors });
            assert.equal(put.headers['batch-failed'], '0');
            assert.equal(await now(waiting), 11);
            await injecting().clear();
            for (const { failed } of await asked) assert.equal(failed, 0);
          });
        });

        it('make no call for a client that disconnects while it waits for a slot', async () => {
          const keys = await large();
          const body = JSON.stringify({ keys });
          await under([{ on: 'batch_get', hang: true }], async () => {
            const gets = () => injecting().counters('batch_get').started;
            const sizes = () => injecting().counters('batch_query').returned;
            const before = gets();
            const first = post('get', body, asTensors);
            await until(() => gets() === before + 1);
            const sized = sizes();
            const leaving = await connectRaw(port());
            const headers = { 'Content-Type': 'application/json', 'Content-Length': body.length };
            leaving.send(requestHead('POST', '/v1/batch/get', headers));
            leaving.send(body);
            await until(async () => sizes() === sized + 1 && (await now(waiting)) === 1);
            leaving.socket.resetAndDestroy();
            await injecting().clear();
            assert.equal((await first).status, 200);
            await until(async () => (await now(waiting)) === 0);
            assert.equal(gets(), before + 1);
          });
        });
      },
    );
  });
}

describe('batches whose calls are all past their deadline', () => {
  const args = ['--call-slots', '9', '--deadline-ms', '1500'];
  withSlots(args, ({ request, refused, batch, post, store, value, under }) => {
    it('get 504 at the deadline, then 503 at once, and other requests are served', async () => {
      const key = await store('x');
      const body = JSON.stringify({ keys: [key] });
      await under([{ on: 'batch_get', hang: true }], async () => {
        await refused('get', body, 504, 'engine-timeout');
        // A returned probe lets the gateway try the batch again, so repeat until 503.
        await until(async () => {
          const { status, body: text } = await post('get', body);
          return status === 503 && text.toString().includes('engine-stuck');
        });
        assert.equal((await request('GET', '', {}, '/readyz')).status, 200);
        assert.equal((await value(key)).toString(), 'x');
        assert.equal((await batch('exists', { keys: [key] })).failed, 0);
      });
      assert.equal((await batch('get', { keys: [key] })).failed, 0);
    });
  });
});

describe('batches in all call slots, past their deadline', () => {
  const args = ['--call-slots', '1', '--deadline-ms', '1500'];
  withSlots(args, ({ request, refused, problem, store, under }) => {
    it('make the gateway unready, until one returns', async () => {
      const key = await store('x');
      // The put of a probe hangs too.
      await under([{ on: ['batch_get', 'put'], hang: true }], async () => {
        await refused('get', JSON.stringify({ keys: [key] }), 504, 'engine-timeout');
        await problem('GET', '', 503, 'not-ready', {}, '/readyz');
        await problem('GET', key, 503, 'engine-stuck');
      });
      assert.equal((await request('GET', '', {}, '/readyz')).status, 200);
    });
  });
});

for (const slots of ['1', '2', '3']) {
  describe(`as few call slots as ${slots}`, () => {
    const args = ['--call-slots', slots, '--deadline-ms', '60000'];
    withSlots(args, ({ batch, put, store, value, request, injecting, under, now }) => {
      it('serve all batches and single operations one after another', async () => {
        const keys = await many(3, () => store('x'));
        const slow: Rule = { on: ['batch_get', 'batch_put', 'batch_query'], delayOutsideUs: 1000 };
        await under([slow], async () => {
          const answers = await many(30, async (at) => {
            if (at % 3 === 0) return batch('get', { keys });
            if (at % 3 === 1) return batch('exists', { keys });
            return put({ [randomUUID()]: 'y' });
          });
          for (const { failed } of answers) assert.equal(failed, 0);
          assert.equal((await value(keys[0] as string)).toString(), 'x');
        });
      });

      if (slots === '1') return;
      it('keep one for a single operation', async () => {
        const keys = await many(3, () => store('x'));
        await under([{ on: 'batch_get', hang: true }], async () => {
          const gets = many(5, () => batch('get', { keys }));
          await until(async () => (await now(waiting)) >= 1 && (await now(inFlight)) >= 1);
          assert.equal((await request('HEAD', keys[0] as string)).status, 200);
          await injecting().clear();
          for (const { failed } of await gets) assert.equal(failed, 0);
        });
      });
    });
  });
}
