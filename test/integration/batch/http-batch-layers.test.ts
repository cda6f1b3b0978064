import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { batchesOf, reported } from '../../helpers/bodies/batches.ts';
import { json, layerLimits, mebibyte, TENSORS } from '../../helpers/bodies/layers.ts';
import { readMixed } from '../../helpers/bodies/multipart.ts';
import { readSafetensors } from '../../helpers/bodies/safetensors.ts';
import { withSharedGateway } from '../../helpers/http/lanes.ts';
import { connectRaw, requestHead } from '../../helpers/http/raw-connection.ts';
import { requestTo } from '../../helpers/http/requests.ts';
import { anonymousBytes } from '../../helpers/memory/process-memory.ts';
import { untilIdle } from '../../helpers/process/metrics.ts';
import { until } from '../../helpers/process/until.ts';

withSharedGateway(layerLimits, (gateway) => {
  const { request, newKey, value, store } = requestTo(gateway);
  const { batch, post } = batchesOf(gateway);

  describe('a batch of objects in layers', () => {
    const layers = { sizes: '5,70000,131072', select: '2,0' };
    const bytes = 5 + 70_000 + 131_072;

    async function threeKeys(): Promise<{ keys: string[]; values: Buffer[] }> {
      const values = [randomBytes(bytes), randomBytes(10), randomBytes(bytes)];
      const stored = await Promise.all(values.map((each) => store(each)));
      return { keys: [...stored, newKey('missing')], values };
    }

    const piece = (whole: Buffer | undefined, layer: number): Buffer =>
      whole?.subarray(...(layer === 0 ? [0, 5] : [70_005, bytes])) ?? Buffer.alloc(0);

    it('is put in JSON', async () => {
      const [first, second] = [newKey('batch'), newKey('batch')];
      const answer = await batch('put', {
        items: [
          { key: first, layers: ['aGVsbG8=', 'IHdvcmxk'] },
          { key: second, value: 'YWxvbmU=' },
        ],
      });
      assert.deepEqual(reported(answer), [
        [first, 201, 0],
        [second, 201, 0],
      ]);
      assert.equal((await value(first)).toString(), 'hello world');
    });

    it('is read in JSON, each object with its own status', async () => {
      const { keys, values } = await threeKeys();
      const answer = await batch('get', { keys: [...keys, keys[0]], layers });
      assert.deepEqual(
        answer.items.map(({ status, type }) => [status, type]),
        [
          [200, undefined],
          [422, '/problems/layers-mismatch'],
          [200, undefined],
          [404, '/problems/object-not-found'],
          [200, undefined],
        ],
      );
      for (const place of [0, 2, 4]) {
        assert.deepEqual(answer.items[place], {
          key: [...keys, keys[0]][place],
          status: 200,
          code: 0,
          size: bytes,
          layers: [2, 0].map((layer) => ({
            layer,
            size: layer === 0 ? 5 : 131_072,
            value: piece(values[place % 4], layer).toString('base64'),
          })),
        });
      }
    });

    it('is read as safetensors, named by key and number', async () => {
      const { keys, values } = await threeKeys();
      const answer = await post('get', JSON.stringify({ keys, layers }), {
        ...json,
        accept: TENSORS,
      });
      const file = readSafetensors(answer.body);
      assert.equal(file.metadata['failed'], '2');
      assert.equal(answer.headers['batch-failed'], '2');
      const names = [keys[0], keys[2]].flatMap((key) => [`${key}/2`, `${key}/0`]);
      assert.deepEqual([...file.tensors.keys()], names);
      for (const place of [0, 2]) {
        for (const layer of [2, 0]) {
          const tensor = file.tensors.get(`${keys[place]}/${layer}`);
          assert.ok(tensor?.equals(piece(values[place], layer)));
        }
      }
    });

    it('is read as multipart, a part for each layer', async () => {
      const { keys, values } = await threeKeys();
      const answer = await post('get', JSON.stringify({ keys, layers }), {
        ...json,
        accept: 'multipart/mixed',
      });
      const parts = readMixed(answer.headers['content-type'] as string, answer.body);
      assert.deepEqual(
        parts.map(({ headers }) => [headers['memcache-status'], headers['memcache-layer']]),
        [
          ['200', '2'],
          ['200', '0'],
          ['422', undefined],
          ['200', '2'],
          ['200', '0'],
          ['404', undefined],
          [undefined, undefined],
        ],
      );
      assert.ok(parts[3]?.body.equals(piece(values[2], 2)));
      assert.ok(parts[4]?.body.equals(piece(values[2], 0)));
    });

    it('fits through an arena that is smaller than the batch', async () => {
      const sizes = { sizes: `${mebibyte}x6`, select: '5' };
      const values = await Promise.all(
        Array.from({ length: 20 }, async () => {
          const whole = randomBytes(6 * mebibyte);
          return { key: await store(whole), last: whole.subarray(5 * mebibyte) };
        }),
      );
      const keys = values.map(({ key }) => key);
      const answer = await post('get', JSON.stringify({ keys, layers: sizes }), {
        ...json,
        accept: TENSORS,
      });
      const file = readSafetensors(answer.body);
      for (const { key, last } of values) assert.ok(file.tensors.get(`${key}/5`)?.equals(last));
      await batch('remove', { keys });
      await untilIdle(gateway().url);
    });

    it('may have a key that is no tensor name without layers', async () => {
      const key = '__metadata__';
      await request('PUT', `${key}?ifExists=replace`, { body: '0123456789' });
      const body = JSON.stringify({ keys: [key], layers: { layout: 'pair' } });
      const answer = await post('get', body, { ...json, accept: TENSORS });
      const { tensors: found } = readSafetensors(answer.body);
      assert.deepEqual([...found.keys()], ['__metadata__/0', '__metadata__/1']);
    });

    it('sends the layers of very many objects, as multipart too', async () => {
      const key = await store(randomBytes(255));
      const body = JSON.stringify({ keys: Array(400).fill(key), layers: { sizes: '1x255' } });
      const answer = await post('get', body, { ...json, accept: 'multipart/mixed' });
      const text = answer.body.toString('latin1');
      assert.match(text.slice(-80), /\{"failed":0\}\n\r\n--[\w-]+--\r\n$/);
      assert.equal(text.split('\r\nMemcache-Layer: 254\r\n').length, 401);
    });

    it('produces a response only as fast as the client reads, and other requests are served', async () => {
      const key = await store(randomBytes(255));
      const before = anonymousBytes(gateway().workerPid());
      const body = JSON.stringify({ keys: Array(16_384).fill(key), layers: { sizes: '1x255' } });
      const headers = { ...json, Accept: 'multipart/mixed', 'Content-Length': body.length };
      const connection = await connectRaw(gateway().port);
      connection.socket.pause();
      connection.send(requestHead('POST', '/v1/batch/get', headers));
      connection.send(body);
      await until(() => connection.socket.bytesRead > 0);
      for (let n = 0; n < 50; n++) assert.equal((await request('HEAD', key)).status, 200);
      const grown = anonymousBytes(gateway().workerPid()) - before;
      assert.ok(grown < 96 * mebibyte, `grew by ${grown} bytes`);
      connection.destroy();
      await untilIdle(gateway().url);
    });

    it('gets 413 with more layers than a batch may have keys', async () => {
      const most = 131_072;
      const refused = async (
        operation: 'put' | 'get',
        body: object,
        headers: Record<string, string>,
      ) => {
        const answer = await post(operation, JSON.stringify(body), headers);
        assert.equal(answer.status, 413, answer.body.toString().slice(0, 300));
        assert.match(answer.body.toString(), /batch-too-large/);
      };
      const keys = Array.from({ length: Math.floor(most / 255) + 1 }, (_, n) => `many/${n}`);
      const cut = { sizes: '1x255' };
      await refused('get', { keys, layers: cut }, { ...json, accept: TENSORS });
      const fits = await post('get', JSON.stringify({ keys: keys.slice(1), layers: cut }), {
        ...json,
        accept: TENSORS,
      });
      assert.equal(fits.status, 200);
      const layers = Array<string>(255).fill('AA==');
      await refused('put', { items: keys.map((key) => ({ key, layers })) }, json);
    });

    it('is refused as a whole when the layers are named wrongly', async () => {
      for (const names of [{}, { sizes: '' }, { sizes: '1', layout: 'pair' }, { layout: 'x' }]) {
        const answer = await post('get', JSON.stringify({ keys: ['a'], layers: names }), json);
        assert.equal(answer.status, 400);
        assert.match(answer.body.toString(), /invalid-parameter/);
      }
      const answer = await post('exists', '{"keys":["a"],"layers":{"sizes":"1"}}', json);
      assert.equal(answer.status, 400);
    });
  });
});
