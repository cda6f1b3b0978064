import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { engineCodeTable } from '../../helpers/engine/engine-code-table.ts';
import { createInjection, injectingLibrary, type Rule } from '../../helpers/engine/injecting.ts';
import { withGateway } from '../../helpers/http/lanes.ts';
import { connectRaw, requestHead } from '../../helpers/http/raw-connection.ts';
import { type RequestOptions, requestTo } from '../../helpers/http/requests.ts';
import { lowestOf } from '../../helpers/process/lowest.ts';
import {
  metric,
  metricsOf,
  untilIdle,
  usedBlocks,
  usedBytes,
} from '../../helpers/process/metrics.ts';
import { until } from '../../helpers/process/until.ts';

const slots = 3;
const deadlineMs = 800;

const injections: ReturnType<typeof createInjection>[] = [];
after(() => {
  for (const injection of injections) injection.dispose();
});

async function failingEngine() {
  const injection = createInjection();
  injections.push(injection);
  const limits = ['--call-slots', String(slots), '--deadline-ms', String(deadlineMs)];
  // These tests check single calls; http-coalescing.test.ts checks shared ones.
  const single = ['--coalescing', 'off', '--single-flight', 'off', '--size-cache-keys', '0'];
  const engine = ['--engine', await injectingLibrary()];
  // With --access-log the number of lines for 503, 504 and 507 is not limited.
  return { args: [...engine, ...limits, ...single, '--access-log'], env: injection.env };
}

withGateway(failingEngine, (gateway) => {
  const { request, problem, store, value, newKey } = requestTo(gateway);

  async function withRules(rules: readonly Rule[], work: () => Promise<void>): Promise<void> {
    const injection = injections.at(-1);
    assert.ok(injection);
    await injection.set(rules);
    try {
      await work();
    } finally {
      await injection.clear();
    }
  }

  /** Also checks that every call returns and every block is free once the rules are cleared. */
  async function under(rules: readonly Rule[], work: () => Promise<void>): Promise<void> {
    await withRules(rules, work);
    await untilIdle(gateway().url);
  }

  const calls = (name: Parameters<ReturnType<typeof createInjection>['counters']>[0]): number =>
    injections.at(-1)?.counters(name).started ?? 0;
  const callsLate = () => metric(gateway().url, 'memcache_gateway_engine_calls{state="late"}');

  describe('each code of the engine', () => {
    /** One key for each call that fails, so that one set of rules serves a whole row. */
    const keys = {
      query: newKey('query'),
      get: newKey('get'),
      put: newKey('put'),
      remove: newKey('remove'),
      replace: newKey('replace'),
      exist: newKey('exist'),
    };
    before(async () => {
      for (const key of [keys.get, keys.replace]) {
        assert.equal((await request('PUT', key, { body: 'x' })).status, 201);
      }
    });

    for (const { code, slug, status, retryable } of engineCodeTable.filter(
      (row) => row.code !== -1,
    )) {
      // A missing and a present key are ordinary results, so they are not logged.
      const isLogged = code !== -3102 && code !== -3006;
      it(`${code} is ${status} ${slug} from every operation${isLogged ? ', and logged' : ''}`, async () => {
        const rules: Rule[] = [
          { on: 'query', code, prefix: keys.query },
          { on: 'get', code, prefix: keys.get },
          { on: 'put', code, prefix: keys.put },
          { on: 'remove', code, prefix: keys.remove },
          { on: 'remove', code, prefix: keys.replace },
          { on: 'exist', code, prefix: keys.exist },
        ];
        const fails = async (method: string, what: string, options: RequestOptions = {}) => {
          const { headers, json } = await problem(method, what, status, slug, options);
          const expected = retryable === 'reads' ? method !== 'PUT' : retryable;
          assert.equal(json['code'], code);
          assert.equal(json['retryable'], expected);
          assert.equal(headers['retry-after'] !== undefined, expected);
          if (!isLogged) return;
          await until(() =>
            gateway()
              .logged()
              .some(({ requestId, problem }) => {
                return requestId === headers['x-request-id'] && problem === slug;
              }),
          );
        };
        const put = { body: 'y' };
        await withRules(rules, async () => {
          await fails('GET', keys.query);
          await fails('GET', keys.get);
          await fails('DELETE', keys.remove);
          await fails('PUT', keys.put, put);
          assert.equal((await request('HEAD', keys.query)).status, status);
          await problem('GET', keys.query, status, slug, {}, 'info');
          // A missing object needs no removal: the put is retried, and refused again.
          const replace = `${keys.replace}?ifExists=replace`;
          if (code === -3102) await problem('PUT', replace, 409, 'object-exists', put);
          else await problem('PUT', replace, status, slug, put);
          const condition = { ...put, headers: { 'if-none-match': '*' } };
          if (code === -3102) {
            assert.equal((await request('PUT', keys.exist, condition)).status, 201);
          } else if (code === -3007) {
            await problem('PUT', keys.exist, 412, 'precondition-failed', condition);
          } else {
            await problem('PUT', keys.exist, status, slug, condition);
          }
        });
      });
    }

    it('leaves no block allocated', () => untilIdle(gateway().url));
  });

  describe('\u22121 of the engine is explained', () => {
    it('on a read: the object does not exist', async () => {
      const key = newKey('gone');
      await problem('GET', key, 404, 'object-not-found');
    });

    it('on a read: the object is being written', async () => {
      const key = await store('x');
      await under(
        [
          { on: 'get', code: -1, prefix: key },
          { on: 'exist', code: -3007, prefix: key },
        ],
        async () => {
          const { headers } = await problem('GET', key, 404, 'object-being-written');
          assert.notEqual(headers['retry-after'], undefined);
        },
      );
    });

    it('on a read: without a cause the read is retried once, and then gets 503', async () => {
      const key = await store('x');
      await under([{ on: 'get', code: -1, prefix: key, first: 1 }], async () => {
        assert.equal((await value(key)).toString(), 'x');
      });
      const before = calls('get');
      await under([{ on: 'get', code: -1, prefix: key }], async () => {
        const { json } = await problem('GET', key, 503, 'read-not-trusted');
        assert.equal(json['code'], -1);
        assert.equal(calls('get') - before, 2);
      });
    });

    it('on a write: the object exists, even if there is no room', async () => {
      const key = await store('x');
      await under([{ on: 'put', code: -1, prefix: key }], async () => {
        await problem('PUT', key, 409, 'object-exists', { body: 'y' });
        const kept = await request('PUT', `${key}?ifExists=keep`, { body: 'y' });
        assert.equal(kept.headers['memcache-outcome'], 'kept');
      });
    });

    it('on a write: there is no room for this size, or for any', async () => {
      const key = newKey('full');
      const isFull = async (body: Buffer) => {
        const { headers, json } = await problem('PUT', key, 507, 'no-room', { body });
        assert.equal(json['code'], -1);
        assert.notEqual(headers['retry-after'], undefined);
      };
      await under([{ on: 'put', code: -1, prefix: key }], () => isFull(Buffer.alloc(4097)));
      await under([{ on: 'put', code: -1 }], () => isFull(Buffer.alloc(1)));
    });

    it('on a write: there is room now, so the retry succeeds', async () => {
      const key = newKey('crowded');
      await under([{ on: 'put', code: -1, prefix: key, first: 1 }], async () => {
        assert.equal((await request('PUT', key, { body: 'y' })).status, 201);
      });
    });

    it('on a write: without a cause it gets 500', async () => {
      const key = newKey('unexplained');
      await under([{ on: 'put', code: -1, prefix: key }], async () => {
        const { json } = await problem('PUT', key, 500, 'engine-error', { body: 'y' });
        assert.deepEqual([json['code'], json['retryable']], [-1, false]);
      });
    });

    it('on a write: the placement is impossible, and the old object stays', async () => {
      const key = await store('old');
      for (const query of ['replicas=2', 'prefer=4711', 'replicas=3&prefer=0,1,2']) {
        await problem('PUT', `${newKey('place')}?${query}`, 422, 'placement-impossible', {
          body: 'y',
        });
        const replace = `${key}?ifExists=replace&${query}`;
        await problem('PUT', replace, 422, 'placement-impossible', { body: 'new' });
      }
      assert.equal((await value(key)).toString(), 'old');
    });

    it('on a write: only a smaller object fits, and the old object stays', async () => {
      const key = await store('old');
      await under([{ on: 'put', code: -1, prefix: key }], async () => {
        const body = Buffer.alloc(5000);
        await problem('PUT', `${key}?ifExists=replace`, 507, 'no-room', { body });
      });
      assert.equal((await value(key)).toString(), 'old');
    });

    it('on a write: the meta service is unavailable', async () => {
      const key = newKey('meta');
      const rules: Rule[] = [
        { on: 'put', code: -1, prefix: key },
        { on: 'exist', code: -3014, prefix: key },
      ];
      await under(rules, async () => {
        await problem('PUT', key, 503, 'engine-unavailable', { body: 'y' });
      });
    });

    it('on any other call: the engine failed without a reason', async () => {
      const key = await store('x');
      await under([{ on: ['query', 'remove', 'exist'], code: -1, prefix: key }], async () => {
        await problem('GET', key, 500, 'engine-error');
        await problem('DELETE', key, 500, 'engine-error');
        const headers = { 'if-match': '*' };
        await problem('GET', key, 500, 'engine-error', { headers });
      });
    });
  });

  describe('another writer', () => {
    it('that is quicker than a conditional PUT makes it fail with 412, for every ifExists', async () => {
      const key = await store('theirs');
      await under([{ on: 'exist', code: -3102, prefix: key }], async () => {
        for (const ifExists of ['fail', 'keep', 'replace']) {
          const options = { body: 'ours', headers: { 'if-none-match': '*' } };
          await problem('PUT', `${key}?ifExists=${ifExists}`, 412, 'precondition-failed', options);
        }
      });
      assert.equal((await value(key)).toString(), 'theirs');
    });
  });

  describe('a read that cannot be trusted', () => {
    it('is repeated once, and gets 503 when the engine copies nothing again', async () => {
      for (const size of [1, 7, 100, 300_000]) {
        const bytes = randomBytes(size);
        const key = await store(bytes);
        // One in 256 single bytes equals the second canary, and then gets 503 as below.
        if (size > 1) {
          await under([{ on: 'get', noCopy: true, prefix: key, first: 1 }], async () => {
            assert.ok((await value(key)).equals(bytes));
          });
        }
        await under([{ on: 'get', noCopy: true, prefix: key }], async () => {
          const { json, headers } = await problem('GET', key, 503, 'read-not-trusted');
          assert.equal(json['retryable'], true);
          assert.notEqual(headers['retry-after'], undefined);
        });
      }
    });
  });

  describe('an engine call that does not return', () => {
    it('gets 504 past the deadline: a read is retryable, the outcome of a write is unknown', async () => {
      const key = await store('x');
      const other = newKey('late');
      const hang = (on: Rule['on']): Rule[] => [
        { on, hang: true, prefix: on === 'put' ? other : key },
      ];
      await under(hang('get'), async () => {
        const { json, headers } = await problem('GET', key, 504, 'engine-timeout');
        assert.deepEqual([json['retryable'], headers['retry-after']], [true, '1']);
        assert.equal(await callsLate(), 1);
      });
      await under(hang('put'), async () => {
        const { json, headers } = await problem('PUT', other, 504, 'engine-timeout', { body: 'y' });
        assert.deepEqual([json['retryable'], headers['retry-after']], [false, undefined]);
      });
      // The write may still take effect, and here it does.
      await until(async () => (await request('HEAD', other)).status === 200);
    });

    it('keeps its block until it returns, even after the request has failed', async () => {
      const key = await store(randomBytes(50_000));
      await under([{ on: 'get', hang: true, prefix: key }], async () => {
        await problem('GET', key, 504, 'engine-timeout');
        assert.ok((await metric(gateway().url, usedBytes)) >= 50_000);
        assert.equal(await metric(gateway().url, usedBlocks), 1);
      });
    });

    it('keeps its block when the client disconnects while the call hangs', async () => {
      const key = newKey('abandoned');
      const kept = await store(randomBytes(40_000));
      await under([{ on: ['put', 'get'], hang: true }], async () => {
        const before = calls('*');
        const put = await connectRaw(gateway().port);
        put.send(requestHead('PUT', `/v1/objects/${key}`, { 'Content-Length': 30_000 }));
        put.send(Buffer.alloc(30_000));
        const get = await connectRaw(gateway().port);
        get.send(requestHead('GET', `/v1/objects/${kept}`));
        await until(() => calls('*') >= before + 3);
        put.socket.resetAndDestroy();
        get.socket.resetAndDestroy();
        await until(async () => (await callsLate()) === 2);
        assert.equal(await metric(gateway().url, usedBlocks), 2);
        assert.ok((await metric(gateway().url, usedBytes)) >= 70_000);
      });
      // under() has checked that the arena is empty once the calls returned.
    });

    it('does not keep the block of an upload whose client disconnected before its body was read', async () => {
      const key = newKey('waiting');
      await under([{ on: 'exist', hang: true, prefix: key }], async () => {
        const { socket, send } = await connectRaw(gateway().port);
        const headers = { 'Content-Length': 3, 'If-None-Match': '*' };
        const before = calls('exist');
        send(`${requestHead('PUT', `/v1/objects/${key}`, headers)}abc`);
        await until(() => calls('exist') > before);
        socket.resetAndDestroy();
        // When the gateway responds to this later request, it has already seen the reset.
        await metric(gateway().url, usedBlocks);
      });
    });

    it('does not lose the response to a client that has ended its side', async () => {
      const key = await store('x');
      await under([{ on: 'get', delayOutsideUs: 50_000, prefix: key }], async () => {
        const { socket, send, next } = await connectRaw(gateway().port);
        send(requestHead('GET', `/v1/objects/${key}`));
        socket.end();
        assert.equal((await next({ path: `/v1/objects/${key}` })).body.toString(), 'x');
      });
    });

    it('does not change the order of pipelined responses', async () => {
      const slowKey = await store('slow');
      const key = await store('quick');
      await under([{ on: 'get', delayOutsideUs: 100_000, prefix: slowKey }], async () => {
        const { send, next, destroy } = await connectRaw(gateway().port);
        const paths = [slowKey, key, newKey('none'), slowKey, key].map((k) => `/v1/objects/${k}`);
        send(paths.map((path) => requestHead('GET', path)).join(''));
        const bodies: string[] = [];
        for (const path of paths) {
          const { status, body } = await next({ path });
          bodies.push(status === 200 ? body.toString() : String(status));
        }
        assert.deepEqual(bodies, ['slow', 'quick', '404', 'slow', 'quick']);
        destroy();
      });
    });

    it('for some keys blocks other keys only until a probe returns, up to the limit of late calls', async () => {
      const key = await store('x');
      const other = await store('y');
      const hang = (calls: number) =>
        Promise.all(
          Array.from({ length: calls }, () => problem('GET', key, 504, 'engine-timeout')),
        );
      await under([{ on: 'get', hang: true, prefix: key }], async () => {
        await hang(slots);
        for (let substitutes = 1; substitutes <= slots; substitutes += 1) {
          await until(async () => (await request('GET', other)).status === 200);
          assert.equal((await request('GET', '', {}, '/readyz')).status, 200);
          await hang(1);
          assert.equal(await callsLate(), slots + substitutes);
        }
        await problem('GET', other, 503, 'engine-stuck');
        await problem('GET', '', 503, 'not-ready', {}, '/readyz');
      });
      await until(async () => (await request('GET', '', {}, '/readyz')).status === 200);
    });

    it('in every call slot gets 503 at once and makes the gateway unready, until the calls return', async () => {
      const key = await store('x');
      assert.equal((await request('GET', '', {}, '/readyz')).status, 200);
      await under([{ on: ['get', 'put'], hang: true }], async () => {
        await Promise.all(
          Array.from({ length: slots }, () => problem('GET', key, 504, 'engine-timeout')),
        );
        assert.ok((await callsLate()) >= slots);
        const tookMs = await lowestOf(10, deadlineMs, async () => {
          const started = performance.now();
          for (const method of ['GET', 'DELETE']) {
            const { headers } = await problem(method, key, 503, 'engine-stuck');
            assert.notEqual(headers['retry-after'], undefined);
          }
          await problem('PUT', newKey('stuck'), 503, 'engine-stuck', { body: 'x' });
          assert.equal((await request('HEAD', key)).status, 503);
          return performance.now() - started;
        });
        assert.ok(tookMs < deadlineMs, 'the deadline was waited for');
        await problem('GET', '', 503, 'not-ready', {}, '/readyz');
        assert.equal((await request('GET', '', {}, '/livez')).status, 200);
      });
      await until(async () => (await request('GET', '', {}, '/readyz')).status === 200);
      assert.equal((await value(key)).toString(), 'x');
    });
  });

  describe('/readyz', () => {
    it('gives the reason, and shares one probe among concurrent requests', async () => {
      await under([{ on: 'put', code: -3014 }], async () => {
        const { json } = await problem('GET', '', 503, 'not-ready', {}, '/readyz');
        assert.equal(json['code'], -3014);
        assert.equal(json['name'], 'MMC_LINK_NOT_FOUND');
      });
      await under([{ on: 'put', delayOutsideUs: 100_000 }], async () => {
        const before = calls('put');
        const asked = Array.from({ length: 20 }, () => request('GET', '', {}, '/readyz'));
        for (const { status } of await Promise.all(asked)) assert.equal(status, 200);
        assert.ok(calls('put') - before <= 3, `${calls('put') - before} probes`);
      });
    });
  });

  it('counts every engine call by operation and code, never a key', async () => {
    const key = `secret-${randomUUID()}`;
    await under([{ on: 'remove', code: -3104, prefix: key }], async () => {
      await problem('DELETE', key, 423, 'lease-active');
    });
    const samples = await metricsOf(gateway().url);
    const name = 'memcache_gateway_engine_call_duration_seconds_count';
    assert.ok((samples.get(`${name}{operation="remove",code="-3104"}`) ?? 0) >= 1);
    assert.equal(
      [...samples.keys()].some((sample) => sample.includes('secret-')),
      false,
    );
    assert.equal(gateway().stdout().includes('secret-'), false);
  });
});
