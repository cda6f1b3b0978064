import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, describe, it } from 'node:test';
import {
  createInjection,
  dataFunctions,
  type EngineFunction,
  injectingLibrary,
  type Rule,
  underRules,
} from '../../helpers/engine/injecting.ts';
import { withGateway } from '../../helpers/http/lanes.ts';
import { connectRaw, requestHead } from '../../helpers/http/raw-connection.ts';
import { requestTo } from '../../helpers/http/requests.ts';
import { lowestOf } from '../../helpers/process/lowest.ts';
import { metric, requestsInFlight, usedBlocks } from '../../helpers/process/metrics.ts';
import { until } from '../../helpers/process/until.ts';

const deadlineMs = 3000;
const slots = 8;
const injections: ReturnType<typeof createInjection>[] = [];
after(() => {
  for (const injection of injections) injection.dispose();
});

async function slowEngine() {
  const injection = createInjection();
  injections.push(injection);
  const limits = ['--call-slots', String(slots), '--deadline-ms', String(deadlineMs)];
  return { args: ['--engine', await injectingLibrary(), ...limits], env: injection.env };
}

/** Long enough for all requests sent at once to arrive. */
const slow = (...on: EngineFunction[]): Rule => ({ on, delayOutsideUs: 100_000 });

withGateway(slowEngine, (gateway) => {
  const { request, problem, store, value, newKey } = requestTo(gateway);
  const injection = () => injections.at(-1) as ReturnType<typeof createInjection>;

  async function under(rules: readonly Rule[], work: () => Promise<unknown>): Promise<void> {
    await underRules(injection(), gateway().url, rules, work);
  }

  /** Counts the calls and keys that reach the engine during `work`, by function. */
  async function reaching(work: () => Promise<unknown>) {
    const counted = () =>
      new Map(dataFunctions.map((name) => [name, injection().counters(name)] as const));
    const before = counted();
    await work();
    const now = counted();
    const since = (member: 'started' | 'keys', names: readonly EngineFunction[]): number =>
      names.reduce((sum, name) => {
        const function_ = name as (typeof dataFunctions)[number];
        return sum + (now.get(function_)?.[member] ?? 0) - (before.get(function_)?.[member] ?? 0);
      }, 0);
    return {
      calls: (...names: EngineFunction[]) => since('started', names),
      keys: (...names: EngineFunction[]) => since('keys', names),
    };
  }

  const many = <T>(count: number, make: (index: number) => Promise<T>): Promise<T[]> =>
    Promise.all(Array.from({ length: count }, (_, index) => make(index)));

  /** Like `many`, but no engine call returns before all requests are in flight. */
  async function together<T>(count: number, make: (index: number) => Promise<T>): Promise<T[]> {
    await injection().set([{ on: dataFunctions, hang: true }]);
    const made = many(count, make);
    try {
      await until(async () => (await metric(gateway().url, requestsInFlight)) === count + 1);
    } finally {
      await injection().clear();
    }
    return made;
  }

  describe('requests that arrive while the engine is busy', () => {
    it('have a limit of engine calls for each operation, which the metrics show', async () => {
      for (const operation of ['query', 'exist', 'remove', 'get', 'put']) {
        const limit = `memcache_gateway_engine_call_limit{operation="${operation}"}`;
        assert.equal(await metric(gateway().url, limit), 1);
      }
    });

    it('reach the engine together, and each gets its own response', async () => {
      const count = 40;
      const bodies = Array.from({ length: count }, (_, at) => randomBytes(50 + at));
      const keys = bodies.map((_, at) => newKey(`together-${at}`));
      const single = dataFunctions.filter((name) => !name.startsWith('batch_'));
      await many(count, (at) => problem('GET', keys[at] as string, 404, 'object-not-found'));
      const puts = await reaching(() =>
        together(count, async (at) => {
          const { status } = await request('PUT', keys[at] as string, { body: bodies[at] ?? '' });
          assert.equal(status, 201);
        }),
      );
      assert.equal(puts.keys('put', 'batch_put'), count);
      assert.ok(puts.calls('put', 'batch_put') <= 6, `${puts.calls('put', 'batch_put')} puts`);

      const gets = await reaching(() =>
        together(count, async (at) => {
          assert.deepEqual(await value(keys[at] as string), bodies[at]);
        }),
      );
      assert.equal(gets.keys('get', 'batch_get'), count);
      assert.ok(gets.calls('get', 'batch_get') <= 6, `${gets.calls('get', 'batch_get')} gets`);
      // The gateway knows their sizes from the puts.
      assert.equal(gets.calls('query', 'batch_query'), 0);

      const infos = await reaching(() =>
        together(count, async (at) => {
          const { headers } = await request('HEAD', keys[at] as string);
          assert.equal(Number(headers['content-length']), bodies[at]?.length);
        }),
      );
      assert.ok(infos.calls('query', 'batch_query') <= 6);

      const conditions = await reaching(() =>
        together(count, async (at) => {
          const headers = { 'if-none-match': '*' };
          assert.equal((await request('GET', keys[at] as string, { headers })).status, 304);
        }),
      );
      assert.ok(conditions.calls('exist', 'batch_exist') <= 6);

      const removals = await reaching(() =>
        together(count, async (at) => {
          assert.equal((await request('DELETE', keys[at] as string)).status, 204);
        }),
      );
      assert.ok(removals.calls('remove', 'batch_remove') <= 6);
      await many(count, (at) => problem('GET', keys[at] as string, 404, 'object-not-found'));
      const lone = await reaching(async () => {
        assert.equal((await request('PUT', keys[0] as string, { body: 'x' })).status, 201);
        assert.equal((await value(keys[0] as string)).toString(), 'x');
      });
      assert.equal(lone.calls(...single), lone.calls(...dataFunctions), 'a lone one goes alone');
    });

    it('for the same key: one PUT succeeds and the others get 409, one DELETE succeeds and the others get 404', async () => {
      const key = newKey('contested');
      await under([slow('put', 'batch_put', 'remove', 'batch_remove')], async () => {
        const puts = await many(10, (at) => request('PUT', key, { body: `body ${at}` }));
        assert.deepEqual(puts.map(({ status }) => status).sort(), [
          201,
          ...Array.from({ length: 9 }, () => 409),
        ]);
        const winner = puts.findIndex(({ status }) => status === 201);
        assert.equal((await value(key)).toString(), `body ${winner}`);
        const removals = await many(10, () => request('DELETE', key));
        assert.deepEqual(removals.map(({ status }) => status).sort(), [
          204,
          ...Array.from({ length: 9 }, () => 404),
        ]);
      });
    });

    it('fail or succeed one by one in a shared call', async () => {
      const doomed = newKey('doomed');
      assert.equal((await request('PUT', doomed, { body: 'x' })).status, 201);
      const others = await many(8, (at) => store(`body ${at}`));
      const rules: Rule[] = [
        slow('get', 'batch_get'),
        { on: 'batch_get', itemCode: -3014, prefix: doomed },
        { on: 'get', code: -3014, prefix: doomed },
      ];
      await under(rules, async () => {
        await Promise.all([
          ...others.map(async (key, at) => {
            assert.equal((await value(key)).toString(), `body ${at}`);
          }),
          problem('GET', doomed, 503, 'engine-unavailable'),
        ]);
      });
    });

    it('are read again, and no others, when the engine copies nothing for them', async () => {
      const keys = await many(8, (at) => store(`body ${at}`));
      const [empty] = keys as [string];
      const read = (expectedEmpty: () => Promise<unknown>) =>
        Promise.all([
          expectedEmpty(),
          ...keys.slice(1).map(async (key, at) => {
            assert.equal((await value(key)).toString(), `body ${at + 1}`);
          }),
        ]);
      const lying = (rule: Partial<Rule>): Rule[] => [
        slow('get', 'batch_get'),
        { on: ['get', 'batch_get'], noCopy: true, prefix: empty, ...rule },
      ];
      await under(lying({ first: 1 }), async () => {
        await read(async () => assert.equal((await value(empty)).toString(), 'body 0'));
      });
      await under(lying({}), async () => {
        const others = keys.slice(1).map((key) => request('GET', key));
        await problem('GET', empty, 503, 'read-not-trusted');
        // A call that copies nothing for one key may do so for all: 503 is allowed, wrong bytes are not.
        for (const { status } of await Promise.all(others)) assert.ok([200, 503].includes(status));
      });
    });

    it('do not share a call when their placements differ', async () => {
      await under([slow('put', 'batch_put')], async () => {
        const plain = Array.from({ length: 6 }, (_, at) => newKey(`plain-${at}`));
        const [puts] = await Promise.all([
          many(6, (at) => request('PUT', plain[at] as string, { body: 'x' })),
          many(6, (at) =>
            problem('PUT', `${newKey(`two-${at}`)}?replicas=2`, 422, 'placement-impossible', {
              body: 'x',
            }),
          ),
        ]);
        assert.ok(puts.every(({ status }) => status === 201));
      });
    });

    it('with bodies of unknown length store objects of the actual length', async () => {
      await under([slow('put', 'batch_put')], async () => {
        const keys = Array.from({ length: 6 }, (_, at) => newKey(`unsized-${at}`));
        await many(6, async (at) => {
          const connection = await connectRaw(gateway().port);
          const path = `/v1/objects/${keys[at]}`;
          connection.send(requestHead('PUT', path, { 'Transfer-Encoding': 'chunked' }));
          connection.send(`${(at + 1).toString(16)}\r\n${'x'.repeat(at + 1)}\r\n0\r\n\r\n`);
          assert.equal((await connection.next({ method: 'PUT', path })).status, 201);
          connection.destroy();
        });
        for (const [at, key] of keys.entries()) assert.equal((await value(key)).length, at + 1);
      });
    });
  });

  describe('reads of one object at a time', () => {
    it('share the next read and its block, and succeed when another client disconnects', async () => {
      const body = randomBytes(300_000);
      const key = await store(body);
      const path = `/v1/objects/${key}`;
      const gets = await reaching(async () => {
        const [first, leaving] = await many(2, () => connectRaw(gateway().port));
        assert.ok(first !== undefined && leaving !== undefined);
        await injection().set([{ on: dataFunctions, hang: true }]);
        first.send(requestHead('GET', path));
        await until(async () => (await metric(gateway().url, requestsInFlight)) === 2);
        const others = many(20, () => value(key));
        leaving.send(requestHead('GET', path));
        await until(async () => (await metric(gateway().url, requestsInFlight)) === 23);
        first.socket.resetAndDestroy();
        leaving.socket.resetAndDestroy();
        await injection().clear();
        for (const each of await others) assert.ok(each.equals(body));
      });
      assert.ok(gets.calls('get') <= 4, `${gets.calls('get')} reads`);
      const shared = await metric(gateway().url, 'memcache_gateway_shared_reads_total');
      assert.ok(shared >= 15, `${shared} shared`);
    });

    it('never return a removed or a replaced object', async () => {
      const key = await store(randomBytes(300_000));
      for (let round = 0; round < 5; round++) {
        await many(4, () => request('GET', key));
        const body = randomBytes(300_000);
        const replaced = await request('PUT', `${key}?ifExists=replace`, { body });
        assert.equal(replaced.status, 200);
        for (const each of await many(4, () => value(key))) assert.ok(each.equals(body));
      }
      await many(4, () => request('GET', key));
      assert.equal((await request('DELETE', key)).status, 204);
      await many(4, () => problem('GET', key, 404, 'object-not-found'));
    });
  });

  describe('an engine that hangs', () => {
    it('causes 504 at the deadline, then 503 at once, and does not affect other kinds of calls', async () => {
      const key = await store('x');
      // Probes hang too; a probe that returned would let the gateway call the engine again.
      await under([{ on: ['get', 'batch_get'], hang: true }], async () => {
        const others = await many(10, () => store('y'));
        const began = performance.now();
        const statuses = await Promise.all(
          [key, ...others].map(async (each) => (await request('GET', each)).status),
        );
        assert.ok(performance.now() - began < 2 * deadlineMs);
        assert.ok(statuses.includes(504), `${statuses}`);
        assert.ok(statuses.every((status) => status === 504 || status === 503));
        await until(async () => (await request('GET', key)).status === 503);
        const tookMs = await lowestOf(10, deadlineMs / 2, async () => {
          const again = performance.now();
          await problem('GET', key, 503, 'engine-stuck');
          return performance.now() - again;
        });
        assert.ok(tookMs < deadlineMs / 2, `${tookMs} ms`);
        assert.equal((await request('HEAD', key)).status, 200);
        assert.equal((await request('PUT', newKey('other'), { body: 'x' })).status, 201);
        await problem('GET', '', 503, 'not-ready', {}, '/readyz');
        assert.ok((await metric(gateway().url, usedBlocks)) >= 1, 'the call keeps its block');
      });
      await until(async () => (await request('GET', '', {}, '/readyz')).status === 200);
      assert.equal((await value(key)).toString(), 'x');
    });

    it('on large objects does not block small ones', async () => {
      const large = await many(6, () => store(randomBytes(600_000)));
      const small = await store('small');
      await under([{ on: ['get'], hang: true, prefix: large[0] as string }], async () => {
        const held = large.map((key) => request('GET', key));
        await until(() => injection().counters('get').started > 0);
        assert.equal((await value(small)).toString(), 'small');
        assert.equal((await request('HEAD', large[1] as string)).status, 200);
        await injection().clear();
        for (const { status } of await Promise.all(held)) assert.ok([200, 504].includes(status));
      });
    });
  });
});

describe('the switches', () => {
  withGateway(
    async () => {
      const { args, env } = await slowEngine();
      const off = ['--coalescing', 'off', '--single-flight', 'off', '--size-cache-keys', '0'];
      return { args: [...args, ...off], env };
    },
    (gateway) => {
      it('give each request its own engine calls', async () => {
        const { request, value, store } = requestTo(gateway);
        const key = await store('x'.repeat(100));
        const injection = injections.at(-1) as ReturnType<typeof createInjection>;
        await injection.set([slow('get', 'query')]);
        const before = injection.counters('get').started;
        await Promise.all(Array.from({ length: 8 }, () => value(key)));
        assert.equal(injection.counters('get').started - before, 8);
        assert.equal(injection.counters('batch_get').started, 0);
        await injection.clear();
        assert.equal((await request('DELETE', key)).status, 204);
        const saved = ['shared_reads', 'sized_reads', 'coalesced_keys'];
        for (const name of saved) {
          assert.equal(await metric(gateway().url, `memcache_gateway_${name}_total`), 0);
        }
      });
    },
  );
});
