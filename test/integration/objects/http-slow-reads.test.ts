/** Reads that may have outlasted the lease of the pool, by the gateway's clock or by the engine's code. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import {
  createInjection,
  type Injection,
  injectingLibrary,
  type Rule,
  underRules,
} from '../../helpers/engine/injecting.ts';
import { withGateway } from '../../helpers/http/lanes.ts';
import { requestTo } from '../../helpers/http/requests.ts';

const slowUs = 400_000;
const single = ['--coalescing', 'off', '--single-flight', 'off', '--size-cache-keys', '0'];

for (const limitMs of [300, 60_000]) {
  describe(`with a limit of ${limitMs} ms for reads`, () => {
    let injection: Injection;
    before(() => {
      injection = createInjection();
    });
    after(() => injection.dispose());

    const options = async () => ({
      args: ['--engine', await injectingLibrary(), ...single, '--slow-read-ms', String(limitMs)],
      env: injection.env,
    });
    withGateway(options, (gateway) => {
      const { problem, request, store, value } = requestTo(gateway);

      async function under(rules: readonly Rule[], work: () => Promise<void>): Promise<number> {
        const before = injection.counters('get').started;
        await underRules(injection, gateway().url, rules, work);
        return injection.counters('get').started - before;
      }
      const trusted = async (rules: readonly Rule[]): Promise<number> => {
        const bytes = randomBytes(1000);
        const key = await store(bytes);
        return under(rules, async () => assert.ok((await value(key)).equals(bytes)));
      };
      const slow = { on: 'get', delayOutsideUs: slowUs } as const;

      if (limitMs * 1000 < slowUs) {
        it('a slower read is repeated, and gets 503 when the repetition is slow as well', async () => {
          assert.equal(await trusted([{ ...slow, first: 1 }]), 2);
          const key = await store('x');
          const gets = await under([slow], async () => {
            const { json, headers } = await problem('GET', key, 503, 'read-not-trusted');
            assert.deepEqual([json['retryable'], 'code' in json], [true, false]);
            assert.notEqual(headers['retry-after'], undefined);
          });
          assert.equal(gets, 2);
        });
      } else {
        it('a read of 400 ms is trusted', async () => {
          assert.equal(await trusted([slow]), 1);
        });
      }

      it('a read whose lease expired is repeated', async () => {
        assert.equal(await trusted([{ on: 'get', code: -3106, first: 1 }]), 2);
      });

      it('a read whose lease expired twice gets 503 with the code of the engine', async () => {
        const key = await store('x');
        const gets = await under([{ on: 'get', code: -3106 }], async () => {
          const { json, headers } = await problem('GET', key, 503, 'lease-expired');
          assert.deepEqual([json['code'], json['name']], [-3106, 'MMC_LEASE_EXPIRED']);
          assert.notEqual(headers['retry-after'], undefined);
        });
        assert.equal(gets, 2);
      });

      it('a batch reads an item again whose lease expired, and no other item', async () => {
        const keys = [await store('first'), await store('second')];
        const [expired = ''] = keys;
        const lease = { on: 'batch_get', itemCode: -3106, prefix: expired };
        const ask = async (): Promise<number[]> => {
          const asked = JSON.stringify({ keys });
          const headers = { 'content-type': 'application/json', accept: 'application/json' };
          const url = `${gateway().url}/v1/batch/get`;
          const response = await fetch(url, { method: 'POST', headers, body: asked });
          const { items } = (await response.json()) as { items: { code: number }[] };
          return items.map(({ code }) => code);
        };
        const named = injection.counters('batch_get').keys;
        await under([{ ...lease, on: 'batch_get', first: 1 }], async () => {
          assert.deepEqual(await ask(), [0, 0]);
        });
        assert.equal(injection.counters('batch_get').keys - named, 3);
        await under([{ ...lease, on: 'batch_get' }], async () => {
          assert.deepEqual(await ask(), [-3106, 0]);
        });
        assert.equal((await request('GET', expired)).status, 200);
      });
    });
  });
}
