import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { after, describe, it } from 'node:test';
import { type BatchAnswer, batchesOf, reported } from '../../helpers/bodies/batches.ts';
import { formOf, readMixed } from '../../helpers/bodies/multipart.ts';
import { readSafetensors, safetensorsOf } from '../../helpers/bodies/safetensors.ts';
import {
  createInjection,
  injectingLibrary,
  type Rule,
  underRules,
} from '../../helpers/engine/injecting.ts';
import { withGateway } from '../../helpers/http/lanes.ts';
import { requestTo } from '../../helpers/http/requests.ts';
import { metricsOf } from '../../helpers/process/metrics.ts';

const deadlineMs = 1000;
const mebibyte = 1 << 20;
const injections: ReturnType<typeof createInjection>[] = [];
after(() => {
  for (const injection of injections) injection.dispose();
});

/**
 * Windows of 4 MiB, an eighth of the arena. There are enough slots for three hanging calls of each
 * kind, since later calls are refused at once.
 */
async function failingEngine() {
  const injection = createInjection();
  injections.push(injection);
  const args = [
    '--call-slots',
    '30',
    '--deadline-ms',
    String(deadlineMs),
    '--arena-bytes',
    '32MiB',
  ];
  return { args: ['--engine', await injectingLibrary(), ...args], env: injection.env };
}

const json = { 'content-type': 'application/json' };
const asMixed = { ...json, accept: 'multipart/mixed' };
const asTensors = { ...json, accept: 'application/vnd.safetensors' };

withGateway(failingEngine, (gateway) => {
  const { batch, put, post, refused } = batchesOf(gateway);
  const { store, value } = requestTo(gateway);

  /** Also checks that every block is free once the rules are cleared. */
  async function under(rules: readonly Rule[], work: () => Promise<unknown>): Promise<void> {
    const injection = injections.at(-1);
    assert.ok(injection);
    await underRules(injection, gateway().url, rules, work);
  }

  const slugs = ({ items }: BatchAnswer) =>
    items.map((item) => (item['type'] as string | undefined)?.replace('/problems/', ''));
  const stored = async (count: number, bytes = 5) =>
    Promise.all(Array.from({ length: count }, () => store(randomBytes(bytes))));

  describe('items that fail', () => {
    it('are logged in one line, and counted, by their problem', async () => {
      const keys = await stored(3);
      const name = 'memcache_gateway_items_total{http_route=';
      const counter = async (operation: string, problem: string) =>
        (await metricsOf(gateway().url)).get(
          `${name}"/v1/batch/${operation}",operation="${operation}",outcome="${problem}"}`,
        ) ?? 0;
      for (const [operation, on, accept] of [
        ['get', 'batch_get', asMixed],
        ['exists', 'batch_exist', json],
      ] as const) {
        const before = await counter(operation, 'engine-unavailable');
        await under([{ on, code: -3014 }], async () => {
          const answer = await post(operation, JSON.stringify({ keys }), accept);
          assert.equal(answer.status, 200);
        });
        assert.equal(await counter(operation, 'engine-unavailable'), before + 3);
        const line = gateway()
          .logged()
          .findLast((each) => each['route'] === `/v1/batch/${operation}`);
        assert.equal(line?.['msg'], 'items of a batch failed');
        assert.deepEqual(line['failedItems'], { 'engine-unavailable': 3 });
      }
      const missing = JSON.stringify({ keys: ['missing/1', 'missing/2'] });
      const misses = await counter('get', 'object-not-found');
      await post('get', missing);
      assert.equal(await counter('get', 'object-not-found'), misses + 2);
    });
  });

  describe('an item that the engine fails', () => {
    it('has its own code, and the other items succeed', async () => {
      const [a, b, c] = (await stored(3)) as [string, string, string];
      const keys = [a, b, c];
      await under([{ on: 'batch_get', itemCode: -3010, prefix: b }], async () => {
        const answer = await batch('get', { keys });
        assert.deepEqual(reported(answer), [
          [a, 200, 0],
          [b, 502, -3010],
          [c, 200, 0],
        ]);
        const { tensors, metadata } = readSafetensors(
          (await post('get', JSON.stringify({ keys }), asTensors)).body,
        );
        assert.deepEqual([...tensors.keys()], [a, c]);
        assert.equal(metadata['failed'], '1');
        const mixed = await post('get', JSON.stringify({ keys }), asMixed);
        const parts = readMixed(mixed.headers['content-type'] as string, mixed.body);
        const codes = parts.map(({ headers }) => headers['memcache-code']);
        assert.deepEqual(codes, ['0', '-3010', '0', undefined]);
      });
      await under([{ on: 'batch_remove', itemCode: -3104, prefix: a }], async () => {
        assert.deepEqual(reported(await batch('remove', { keys: [a, b] })), [
          [a, 423, -3104],
          [b, 204, 0],
        ]);
      });
      await under([{ on: 'batch_exist', itemCode: -3009, prefix: a }], async () => {
        assert.deepEqual(reported(await batch('exists', { keys: [a, b] })), [
          [a, 502, -3009],
          [b, 200, -3102],
        ]);
      });
      const fresh = [randomUUID(), randomUUID()] as const;
      await under([{ on: 'batch_put', itemCode: -3016, prefix: fresh[1] }], async () => {
        const answer = await put({ [fresh[0]]: 'x', [fresh[1]]: 'y' });
        assert.deepEqual(reported(answer), [
          [fresh[0], 201, 0],
          [fresh[1], 507, -3016],
        ]);
      });
    });

    it('has the code of the whole call when that failed', async () => {
      const keys = await stored(2);
      await under([{ on: ['batch_exist', 'batch_query'], code: -3014 }], async () => {
        for (const operation of ['exists', 'info', 'get'] as const) {
          const answer = await batch(operation, { keys });
          assert.deepEqual(
            reported(answer),
            keys.map((key) => [key, 503, -3014]),
          );
        }
      });
    });
  });

  describe('\u22121 on an item of a get', () => {
    it('causes a second read, and then a read that cannot be trusted', async () => {
      const keys = await stored(3);
      const prefix = keys[1] as string;
      await under([{ on: 'batch_get', itemCode: -1, prefix, first: 1 }], async () => {
        assert.equal((await batch('get', { keys })).failed, 0);
      });
      await under([{ on: 'batch_get', itemCode: -1, prefix }], async () => {
        const answer = await batch('get', { keys });
        assert.deepEqual(slugs(answer), [undefined, 'read-not-trusted', undefined]);
      });
    });

    it('is reported as being written when the engine says so', async () => {
      const keys = await stored(2);
      const prefix = keys[0] as string;
      const rules: Rule[] = [
        { on: 'batch_get', itemCode: -1, prefix },
        { on: 'batch_exist', itemCode: -3007, prefix },
      ];
      await under(rules, async () => {
        assert.deepEqual(slugs(await batch('get', { keys })), ['object-being-written', undefined]);
      });
    });
  });

  describe('a successful get that copied nothing', () => {
    it('is not trusted', async () => {
      const keys = await stored(3, 1000);
      await under([{ on: 'batch_get', noCopy: true, first: 1 }], async () => {
        assert.equal((await batch('get', { keys })).failed, 0);
      });
      await under([{ on: 'batch_get', noCopy: true }], async () => {
        const answer = await batch('get', { keys });
        assert.deepEqual(slugs(answer), Array(3).fill('read-not-trusted'));
      });
    });
  });

  describe('\u22121 on an item of a put', () => {
    it('causes one retry, and one explanation for all items', async () => {
      const stem = randomUUID();
      const values = { [`${stem}/1`]: 'x', [`${stem}/2`]: 'y', [`${stem}/3`]: 'z' };
      await under([{ on: 'batch_put', itemCode: -1, prefix: stem, first: 1 }], async () => {
        assert.equal((await put(values)).failed, 0);
      });
      assert.equal((await batch('remove', { keys: Object.keys(values) })).failed, 0);
      await under([{ on: ['batch_put', 'put'], code: -1 }], async () => {
        assert.deepEqual(slugs(await put(values)), Array(3).fill('no-room'));
      });
    });

    it('is a conflict when the object exists, or the outcome of ifExists', async () => {
      const key = await store('old');
      await under([{ on: 'batch_put', itemCode: -1, prefix: key }], async () => {
        assert.deepEqual(reported(await put({ [key]: 'new' })), [[key, 409, -3006]]);
        const kept = await put({ [key]: 'new' }, { ifExists: 'keep' });
        assert.equal(kept.items[0]?.['outcome'], 'kept');
        const replaced = await put({ [key]: 'new' }, { ifExists: 'replace' });
        assert.equal(replaced.items[0]?.['outcome'], 'replaced');
      });
      assert.equal((await value(key)).toString(), 'new');
    });

    it('does not prevent a replacement when it follows the remove', async () => {
      const key = await store('old');
      await under([{ on: 'batch_put', itemCode: -1, prefix: key, nth: 2 }], async () => {
        const answer = await put({ [key]: 'new' }, { ifExists: 'replace' });
        assert.equal(answer.items[0]?.['outcome'], 'replaced');
      });
      assert.equal((await value(key)).toString(), 'new');
    });
  });

  describe('a call past its deadline', () => {
    it('before the response began is the problem of the request', async () => {
      const keys = await stored(2);
      const body = JSON.stringify({ keys });
      await under(
        [{ on: ['batch_exist', 'batch_query', 'batch_remove'], hang: true }],
        async () => {
          for (const operation of ['exists', 'info', 'get'] as const) {
            await refused(operation, body, 504, 'engine-timeout');
          }
        },
      );
      await under([{ on: 'batch_get', hang: true }], async () => {
        for (const headers of [json, asMixed, asTensors]) {
          await refused('get', body, 504, 'engine-timeout', headers);
        }
      });
    });

    it('of a put is the problem of its items', async () => {
      const values = { [randomUUID()]: 'x', [randomUUID()]: 'y' };
      await under([{ on: 'batch_put', hang: true }], async () => {
        assert.deepEqual(slugs(await put(values)), Array(2).fill('engine-timeout'));
        const pairs = Object.entries(values).map(
          ([key, text]) => [key, Buffer.from(text)] as const,
        );
        const forms = [
          ['multipart/form-data; boundary=b', formOf('b', pairs)],
          ['application/vnd.safetensors', safetensorsOf(pairs)],
        ] as const;
        const [type, body] = forms[0];
        const answer = await post('put', body, { 'content-type': type });
        const { items } = JSON.parse(answer.body.toString()) as BatchAnswer;
        assert.deepEqual(slugs({ items, failed: 2 }), Array(2).fill('engine-timeout'));
      });
    });

    it('during a response is the problem of every later item', async () => {
      const keys = await stored(4, 3 * mebibyte);
      await under([{ on: 'batch_get', hang: true, after: 1 }], async () => {
        const answer = await batch('get', { keys });
        const late = 'engine-timeout';
        assert.deepEqual(slugs(answer), [undefined, late, late, late]);
      });
      await under([{ on: 'batch_get', hang: true, after: 1 }], async () => {
        const mixed = await post('get', JSON.stringify({ keys }), asMixed);
        assert.equal(mixed.headers['batch-failed'], undefined);
        const parts = readMixed(mixed.headers['content-type'] as string, mixed.body);
        const statuses = parts.map(({ headers }) => headers['memcache-status']);
        assert.deepEqual(statuses, ['200', '504', '504', '504', undefined]);
      });
    });

    it('during a safetensors file closes the connection', async () => {
      const keys = await stored(4, 3 * mebibyte);
      for (const rule of [{ hang: true }, { itemCode: -1 }, { code: -3010 }] as const) {
        await under([{ on: 'batch_get', ...rule, after: 1 }], async () => {
          await assert.rejects(
            post('get', JSON.stringify({ keys }), asTensors),
            /aborted|hang up|reset/i,
          );
        });
      }
    });
  });
});
