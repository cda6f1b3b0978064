import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, describe, it } from 'node:test';
import { batchesOf } from '../../helpers/bodies/batches.ts';
import { createInjection, injectingLibrary, type Rule } from '../../helpers/engine/injecting.ts';
import { clientOf } from '../../helpers/http/checked-client.ts';
import { withGateway } from '../../helpers/http/lanes.ts';

/** An engine of which each call takes 100 µs, and which counts its calls. */
const slow: Rule = { on: ['exist', 'batch_exist'], delayInsideUs: 100 };
const injection = createInjection([slow]);
after(() => injection.dispose());

async function slowEngine() {
  const args = [
    '--engine',
    await injectingLibrary(),
    '--batch-keys',
    '17000',
    '--deadline-ms',
    '500',
  ];
  return { args, env: injection.env };
}

withGateway(slowEngine, (gateway) => {
  const client = clientOf(gateway);
  const { post, refused } = batchesOf(gateway);

  const counted = async (keys: readonly string[]) => {
    const calls = () => injection.counters('batch_exist');
    const before = calls();
    const leading = await client.countLeading(keys);
    const { started, keys: asked } = calls();
    return { leading, calls: started - before.started, keys: asked - before.keys };
  };

  /** 1,000 keys of which the first have objects. */
  async function keysWith(objects: number): Promise<string[]> {
    const stem = randomUUID();
    const keys = Array.from({ length: 1000 }, (_, i) => `${stem}/${i}`);
    const put = await client.putMany(keys.slice(0, objects).map((key) => [key, 'x'] as const));
    assert.ok(put.every(({ ok }) => ok));
    return keys;
  }

  describe('a count of the leading keys that exist', () => {
    it('makes one engine call if one of the first 32 objects is missing, and else two', async () => {
      for (const objects of [0, 1, 31]) {
        const keys = await keysWith(objects);
        assert.deepEqual(await counted(keys), { leading: objects, calls: 1, keys: 32 });
      }
      for (const objects of [32, 40, 1000]) {
        const keys = await keysWith(objects);
        assert.deepEqual(await counted(keys), { leading: objects, calls: 2, keys: 1000 });
      }
    });

    it('makes one engine call for a few keys, and none for none', async () => {
      const keys = (await keysWith(10)).slice(0, 10);
      assert.deepEqual(await counted(keys), { leading: 10, calls: 1, keys: 10 });
      assert.deepEqual(await counted([]), { leading: 0, calls: 0, keys: 0 });
    });

    it('ignores objects after the first missing one', async () => {
      const keys = await keysWith(40);
      await client.delete(keys[35] as string);
      assert.equal(await client.countLeading(keys), 35);
    });

    it('ends at an object that is being written, and fails if the engine does', async () => {
      const keys = await keysWith(40);
      const prefix = keys[3] as string;
      const under = async (rules: Rule[], work: () => Promise<void>) => {
        await injection.set([slow, ...rules]);
        await work().finally(() => injection.set([slow]));
      };
      const exists = 'batch_exist';
      await under([{ on: exists, itemCode: -3007, prefix: `${prefix.slice(0, -1)}35` }], async () =>
        assert.equal(await client.countLeading(keys), 35),
      );
      const body = JSON.stringify({ keys, until: 'missing' });
      await under([{ on: exists, code: -3014 }], async () => {
        await refused('exists', body, 503, 'engine-unavailable');
      });
      await under([{ on: exists, itemCode: -3014, prefix }], async () => {
        await refused('exists', body, 503, 'engine-unavailable');
        assert.equal(await client.countLeading(keys.slice(4, 9)), 5);
      });
      await under([{ on: exists, hang: true, after: 1 }], async () => {
        await refused('exists', body, 504, 'engine-timeout');
      });
    });

    it('is a number and no list of items, and changes nothing for a body without it', async () => {
      const keys = (await keysWith(1)).slice(0, 2);
      const answer = await post('exists', JSON.stringify({ until: 'missing', keys }));
      assert.equal(answer.body.toString(), '{"leading":1,"of":2}\n');
      assert.equal(answer.headers['batch-failed'], undefined);
      assert.equal(answer.headers['content-type'], 'application/json');
      const items = await post('exists', JSON.stringify({ keys }));
      assert.equal(items.headers['batch-failed'], '0');
      assert.match(items.body.toString(), /^\{"items":\[.*"exists":true\},.*"exists":false\}\]/);
    });

    it('refuses more keys than a batch may have, and another word', async () => {
      const most = Array.from({ length: 17_000 }, (_, i) => `k${i}`);
      assert.equal(await client.countLeading(most), 0);
      const body = (keys: readonly string[], until = 'missing') => JSON.stringify({ keys, until });
      await refused('exists', body([...most, 'k']), 413, 'batch-too-large');
      await refused('exists', body(['a'], 'found'), 400, 'invalid-body');
      await refused('get', body(['a']), 400, 'invalid-body');
    });
  });
});
