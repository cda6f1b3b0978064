import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';
import { createClient, GatewayError, type ItemResult } from '../../../packages/client/src/index.ts';
import { batchLimits, MOST_KEYS } from '../../helpers/bodies/batches.ts';
import { textOf } from '../../helpers/bodies/text.ts';
import { clientOf } from '../../helpers/http/checked-client.ts';
import { withSharedGateway } from '../../helpers/http/lanes.ts';
import { untilIdle } from '../../helpers/process/metrics.ts';

const mebibyte = 1 << 20;
const methods = ['getMany', 'hasMany', 'infoMany', 'deleteMany'] as const;

withSharedGateway(batchLimits, (gateway) => {
  const client = clientOf(gateway);
  /** A client that does not read a response whole before it yields items. */
  const streaming = () => createClient({ baseUrl: gateway().url });

  const values = (count: number, bytes: (i: number) => number): [string, Buffer][] => {
    const stem = `${randomUUID()}/ü?"\\`;
    return Array.from({ length: count }, (_, i) => [`${stem}/${i}`, randomBytes(bytes(i))]);
  };
  const keysOf = (pairs: readonly (readonly [string, unknown])[]) => pairs.map(([key]) => key);
  /** The result, or the kind and the status of the problem. */
  const reported = <Done extends object>(results: readonly ItemResult<Done>[]) =>
    results.map((result) =>
      result.ok ? { ...result, ok: undefined } : `${result.error.problem} (${result.error.status})`,
    );
  const all = (results: readonly ItemResult<object>[], done: object) =>
    assert.deepEqual(results, Array(results.length).fill({ ok: true, ...done }));

  describe('a batch of the client', () => {
    it('stores, reads, inspects and removes objects of any size, in order', async () => {
      const pairs = values(50, (i) => 1 + i * 997);
      const keys = keysOf(pairs);
      all(await client.putMany(pairs), { outcome: 'created' });
      const got = await client.getMany(keys);
      assert.equal(got.length, keys.length);
      for (const [i, result] of got.entries()) {
        assert.ok(result.ok && result.value !== undefined);
        assert.ok(pairs[i]?.[1].equals(result.value));
      }
      const infos = await client.infoMany(keys);
      assert.deepEqual(
        infos.map((result) => result.ok && [result.info?.size, result.info?.replicas.length]),
        pairs.map(([, { length }]) => [length, 1]),
      );
      all(await client.hasMany(keys), { exists: true });
      all(await client.deleteMany(keys), { deleted: true });
      all(await client.deleteMany(keys), { deleted: false });
      all(await client.hasMany(keys), { exists: false });
      all(await client.infoMany(keys), { info: undefined });
      all(await client.getMany(keys), { value: undefined });
      assert.deepEqual(await client.putMany([]), []);
      assert.deepEqual(await client.getMany([]), []);
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
      const put = await client.putMany(pairs);
      assert.deepEqual(reported(put), [
        ...['object-exists (409)', 'empty-object (422)', 'object-too-large (413)'],
        { ok: undefined, outcome: 'created' },
      ]);
      // The problem is the same as that of the single operation, except for the request id.
      const [taken] = put;
      assert.ok(taken?.ok === false);
      const { requestId } = taken.error;
      assert.match(requestId ?? '', /^\S+$/);
      await assert.rejects(client.put(there, 'new'), (error) => {
        assert.ok(error instanceof GatewayError);
        assert.deepEqual({ ...error, requestId }, { ...taken.error });
        return true;
      });
      const got = await client.getMany([gone, there, empty, fresh]);
      assert.deepEqual(
        got.map((result) => result.ok && textOf(result.value)),
        [undefined, value.toString(), undefined, 'f'],
      );
      all(await client.putMany([[there, 'newer']], { ifExists: 'keep' }), { outcome: 'kept' });
      all(await client.putMany([[there, 'newer']], { ifExists: 'replace' }), {
        outcome: 'replaced',
      });
      const two = await client.putMany([[gone, 'x']], { replicas: 2 });
      assert.deepEqual(reported(two), ['placement-impossible (422)']);
      assert.deepEqual(await client.deleteMany([fresh, gone, fresh]), [
        { ok: true, deleted: true },
        { ok: true, deleted: false },
        { ok: true, deleted: false },
      ]);
    });

    it('accepts every key, also twice, in puts and gets', async () => {
      const keys = ['__metadata__', '.', '..', '__proto__', '10', '2', '...', '\u{1f600}'];
      const pairs = keys.map((key) => [key, `of ${key}`] as const);
      const put = await client.putMany([...pairs, ['..', 'again'], ['__metadata__', 'again']]);
      all(put.slice(0, keys.length), { outcome: 'created' });
      const twice = 'object-exists (409)';
      assert.deepEqual(reported(put.slice(keys.length)), [twice, twice]);
      const asked = [...keys, ...keys.toReversed()];
      assert.deepEqual(
        (await client.getMany(asked)).map((result) => result.ok && textOf(result.value)),
        asked.map((key) => `of ${key}`),
      );
      const each: string[] = [];
      for await (const item of client.getEach(asked)) {
        assert.ok(item.ok);
        assert.equal(textOf(item.value), `of ${item.key}`);
        each.push(item.key);
      }
      assert.deepEqual(each, [...keys.slice(1), '__metadata__']);
      all(await client.deleteMany(keys), { deleted: true });
      all(await client.getMany(keys), { value: undefined });
    });

    it('larger than the arena is stored and read, one item at a time', async () => {
      const block = randomBytes(3 * mebibyte);
      const keys = keysOf(values(16, () => 1));
      all(await client.putMany(keys.map((key) => [key, block] as const)), { outcome: 'created' });
      let count = 0;
      for await (const item of streaming().getEach(keys)) {
        assert.equal(item.key, keys[count++]);
        assert.ok(item.ok && item.value !== undefined && block.equals(item.value));
      }
      assert.equal(count, keys.length);
      await client.deleteMany(keys);
      await untilIdle(gateway().url);
    });

    it('that is refused as a whole rejects with the problem of the gateway', async () => {
      const keys = Array.from({ length: MOST_KEYS + 1 }, (_, i) => `many/${i}`);
      const tooMany = /batch-too-large \(413\): The batch has more than 17000 keys/;
      for (const method of methods) {
        await assert.rejects(client[method](keys), tooMany);
      }
      await assert.rejects(client.putMany(keys.map((key) => [key, 'x'] as const)), tooMany);
      await assert.rejects(client.hasMany(['\u0007']), /invalid-key \(400\)/);
      await assert.rejects(client.putMany([['\u0007', 'x']]), /invalid-key \(400\)/);
      await assert.rejects(
        client.putMany([['a', 'x']], { replicas: 9 }),
        /invalid-parameter \(400\)/,
      );
    });

    it('ends when its signal aborts, or when the caller stops reading', async () => {
      const pairs = values(12, () => 3 * mebibyte);
      const keys = keysOf(pairs);
      await client.putMany(pairs);
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
      for (const method of methods) {
        await assert.rejects(client[method](keys, controller), /enough/);
      }
      await assert.rejects(client.putMany(pairs, controller), /enough/);
      await client.deleteMany(keys);
    });
  });

  describe('keys that no URL can name', () => {
    for (const key of ['.', '..']) {
      it(`are served like any other: ${key}`, async () => {
        const { put, get, getStream, info, has, delete: remove } = client;
        assert.equal(await has(key), false);
        assert.equal(await put(key, new Blob(['value']).stream()), 'created');
        await assert.rejects(put(key, 'other'), /object-exists \(409\)/);
        assert.equal(await put(key, 'other', { ifExists: 'keep' }), 'kept');
        assert.equal(textOf(await get(key)), 'value');
        const stream = await getStream(key);
        assert.deepEqual([stream?.size, await new Response(stream?.body).text()], [5, 'value']);
        assert.equal(await has(key), true);
        assert.deepEqual((await info(key))?.size, 5);
        assert.equal(await remove(key), true);
        assert.equal(await remove(key), false);
        assert.equal(await get(key), undefined);
        assert.equal(await getStream(key), undefined);
        assert.equal(await info(key), undefined);
      });
    }
  });
});
