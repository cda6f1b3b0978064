import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';
import { createClient, GatewayError } from '../../../src/client/index.ts';
import { batchLimits, MOST_KEYS } from '../../helpers/bodies/batches.ts';
import { clientOf } from '../../helpers/http/checked-client.ts';
import { withSharedGateway } from '../../helpers/http/lanes.ts';
import { untilIdle } from '../../helpers/process/metrics.ts';

const mebibyte = 1 << 20;

withSharedGateway(batchLimits, (gateway) => {
  const client = clientOf(gateway);
  const { batch } = client;
  /** A client that does not read a response whole before it yields items. */
  const streaming = () => createClient({ baseUrl: gateway().url }).batch;

  const values = (count: number, bytes: (i: number) => number): [string, Buffer][] => {
    const stem = `${randomUUID()}/ü?"\\`;
    return Array.from({ length: count }, (_, i) => [`${stem}/${i}`, randomBytes(bytes(i))]);
  };
  const keysOf = (pairs: readonly (readonly [string, unknown])[]) => pairs.map(([key]) => key);
  const statuses = (items: readonly { key: string; status: number; code: number | null }[]) =>
    items.map(({ status, code }) => [status, code]);

  describe('a batch of the client', () => {
    it('stores, reads, inspects and removes objects of any size, in order', async () => {
      const pairs = values(50, (i) => 1 + i * 997);
      const keys = keysOf(pairs);
      const put = await batch.put(pairs);
      assert.deepEqual(
        put,
        keys.map((key) => ({ key, status: 201, code: 0, outcome: 'created' })),
      );
      const got = await batch.get(keys);
      assert.deepEqual(keysOf(got.map(({ key }) => [key, 0])), keys);
      for (const [i, item] of got.entries()) {
        assert.ok(item.problem === undefined);
        assert.ok(pairs[i]?.[1].equals(item.value));
      }
      const info = await batch.info(keys);
      assert.deepEqual(
        info.map((item) => item.problem ?? [item.size, item.replicas.length]),
        pairs.map(([, { length }]) => [length, 1]),
      );
      const removed = await batch.remove(keys);
      assert.deepEqual(
        removed,
        keys.map((key) => ({ key, status: 204, code: 0 })),
      );
      const exists = await batch.exists(keys);
      assert.deepEqual(
        exists,
        keys.map((key) => ({ key, status: 200, code: -3102, exists: false })),
      );
      assert.deepEqual(await batch.put([]), []);
      assert.deepEqual(await batch.get([]), []);
    });

    it('reports each item that fails, and completes the others', async () => {
      const [[there, value]] = values(1, () => 10) as [[string, Buffer]];
      await client.put(there, value);
      const [empty, large, fresh, gone] = ['e', 'l', 'f', 'g'].map((end) => there + end) as [
        ...[string, string, string, string],
      ];
      const tooMuch = new Blob([Buffer.alloc(17 * mebibyte)]);
      const pairs = [
        [there, 'new'],
        [empty, ''],
        [large, tooMuch],
        [fresh, 'f'],
      ] as const;
      const put = await batch.put(pairs);
      assert.deepEqual(statuses(put), [
        [409, -3006],
        [422, null],
        [413, null],
        [201, 0],
      ]);
      const got = await batch.get([gone, there, empty, fresh]);
      assert.deepEqual(statuses(got), [
        [404, -3102],
        [200, 0],
        [404, -3102],
        [200, 0],
      ]);
      assert.equal(got[0]?.problem?.slug, 'object-not-found');
      // The problem is the same as that of the single operation, except for the request id.
      await assert.rejects(client.get(gone), (error) => {
        assert.ok(error instanceof GatewayError);
        const requestId = got[0]?.problem?.requestId;
        assert.match(requestId ?? '', /^\S+$/);
        assert.deepEqual({ ...error.problem, requestId }, got[0]?.problem);
        return true;
      });
      const again = await batch.put([[there, 'newer']], { ifExists: 'replace' });
      assert.equal(again[0]?.problem ?? again[0]?.outcome, 'replaced');
      const two = await batch.put([[gone, 'x']], { replicas: 2 });
      assert.equal(two[0]?.problem?.slug, 'placement-impossible');
      assert.deepEqual(statuses(await batch.remove([fresh, gone, fresh])), [
        [204, 0],
        [404, -3102],
        [404, -3102],
      ]);
    });

    it('accepts every key, also twice, in puts and gets', async () => {
      const keys = ['__metadata__', '.', '..', '__proto__', '10', '2', '...', '\u{1f600}'];
      const pairs = keys.map((key) => [key, `of ${key}`] as const);
      const put = await batch.put([...pairs, ['..', 'again'], ['__metadata__', 'again']]);
      assert.deepEqual(statuses(put), [...keys.map(() => [201, 0]), [409, null], [409, null]]);
      const asked = [...keys, ...keys.toReversed()];
      assert.deepEqual(
        (await batch.get(asked)).map((item) => item.problem ?? Buffer.from(item.value).toString()),
        asked.map((key) => `of ${key}`),
      );
      const each: string[] = [];
      for await (const item of batch.getEach(asked)) {
        assert.ok(item.problem === undefined);
        assert.equal(Buffer.from(item.value).toString(), `of ${item.key}`);
        each.push(item.key);
      }
      assert.deepEqual(each, [...keys.slice(1), '__metadata__']);
      assert.deepEqual(statuses(await batch.remove(keys)), Array(keys.length).fill([204, 0]));
      const missing = await batch.get(keys);
      assert.deepEqual(statuses(missing), Array(keys.length).fill([404, -3102]));
    });

    it('larger than the arena is stored and read, one item at a time', async () => {
      const block = randomBytes(3 * mebibyte);
      const keys = keysOf(values(16, () => 1));
      const put = await batch.put(keys.map((key) => [key, block] as const));
      assert.ok(put.every(({ status }) => status === 201));
      let count = 0;
      for await (const item of streaming().getEach(keys)) {
        assert.equal(item.key, keys[count++]);
        assert.ok(item.problem === undefined && block.equals(item.value));
      }
      assert.equal(count, keys.length);
      await batch.remove(keys);
      await untilIdle(gateway().url);
    });

    it('that is refused as a whole rejects with the problem of the gateway', async () => {
      const keys = Array.from({ length: MOST_KEYS + 1 }, (_, i) => `many/${i}`);
      const tooMany = /batch-too-large \(413\): The batch has more than 17000 keys/;
      for (const method of ['get', 'exists', 'info', 'remove'] as const) {
        await assert.rejects(batch[method](keys), tooMany);
      }
      await assert.rejects(batch.put(keys.map((key) => [key, 'x'] as const)), tooMany);
      await assert.rejects(batch.exists(['\u0007']), /invalid-key \(400\)/);
      await assert.rejects(batch.put([['\u0007', 'x']]), /invalid-key \(400\)/);
      await assert.rejects(batch.put([['a', 'x']], { replicas: 9 }), /invalid-parameter \(400\)/);
    });

    it('ends when its signal aborts, or when the caller stops reading', async () => {
      const pairs = values(12, () => 3 * mebibyte);
      const keys = keysOf(pairs);
      await batch.put(pairs);
      const controller = new AbortController();
      const reading = async () => {
        for await (const { key } of streaming().getEach(keys, controller)) {
          assert.equal(key, keys[0]);
          controller.abort(new Error('enough'));
        }
      };
      await assert.rejects(reading(), /enough/);
      await untilIdle(gateway().url);
      for await (const { key } of streaming().getEach(keys)) {
        assert.equal(key, keys[0]);
        break;
      }
      await untilIdle(gateway().url);
      for (const method of ['get', 'exists', 'info', 'remove'] as const) {
        await assert.rejects(batch[method](keys, controller), /enough/);
      }
      await assert.rejects(batch.put(pairs, controller), /enough/);
      await batch.remove(keys);
    });
  });

  describe('keys that no URL can name', () => {
    for (const key of ['.', '..']) {
      it(`are served like any other: ${key}`, async () => {
        const { put, get, getStream, info, exists, remove } = client;
        assert.equal(await exists(key), false);
        assert.equal(await put(key, new Blob(['value']).stream()), 'created');
        await assert.rejects(put(key, 'other'), /object-exists \(409\)/);
        assert.equal(await put(key, 'other', { ifExists: 'keep' }), 'kept');
        assert.equal(Buffer.from(await get(key)).toString(), 'value');
        const { size, body } = await getStream(key);
        assert.deepEqual([size, await new Response(body).text()], [5, 'value']);
        assert.equal(await exists(key), true);
        assert.deepEqual((await info(key)).size, 5);
        await remove(key);
        await assert.rejects(remove(key), /object-not-found \(404\)/);
        await assert.rejects(get(key), /object-not-found \(404\)/);
        await assert.rejects(info(key), /object-not-found \(404\)/);
      });
    }
  });
});
