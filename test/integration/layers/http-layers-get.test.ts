import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import {
  block,
  blockSizes,
  fileOf,
  layerLimits,
  layersTo,
  mebibyte,
  OCTETS,
  randomLayers,
  TENSORS,
  tensors,
} from '../../helpers/bodies/layers.ts';
import { readMixed } from '../../helpers/bodies/multipart.ts';
import { readSafetensors } from '../../helpers/bodies/safetensors.ts';
import { withSharedGateway } from '../../helpers/http/lanes.ts';
import { requestTo } from '../../helpers/http/requests.ts';
import { untilIdle } from '../../helpers/process/metrics.ts';

withSharedGateway(layerLimits, (gateway) => {
  const { newKey, value, store } = requestTo(gateway);
  const { put, get, head, refused } = layersTo(gateway);

  describe('an object read in layers', () => {
    it('is cut at the given sizes, in every form', async () => {
      const layers = randomLayers(blockSizes);
      const key = await store(Buffer.concat(layers));
      for (const query of [`sizes=${block}`, 'layout=deepseek-r1']) {
        const whole = await get(`${key}?${query}`);
        assert.equal(whole.headers['content-type'], TENSORS);
        assert.equal(whole.headers['content-length'], String(whole.body.length));
        const file = readSafetensors(whole.body);
        assert.deepEqual([...file.tensors.keys()], Object.keys(layers));
        for (const [n, bytes] of layers.entries()) {
          assert.ok(file.tensors.get(String(n))?.equals(bytes));
        }
      }
      const some = await get(`${key}?layout=deepseek-r1&select=121,0-3,61`, {
        accept: 'multipart/mixed',
      });
      const selected = [121, 0, 1, 2, 3, 61];
      const parts = readMixed(some.headers['content-type'] as string, some.body);
      assert.equal(parts.pop()?.body.toString(), '{"failed":0}\n');
      assert.deepEqual(
        parts.map(({ headers }) => headers['memcache-layer']),
        selected.map(String),
      );
      for (const [place, number] of selected.entries()) {
        assert.ok(parts[place]?.body.equals(layers[number] ?? Buffer.alloc(0)));
      }
      const asJson = await get(`${key}?layout=deepseek-r1&select=61,0`, {
        accept: 'application/json',
      });
      assert.deepEqual(JSON.parse(asJson.body.toString()), {
        key,
        size: 8_994_816,
        layers: [61, 0].map((layer) => ({
          layer,
          size: blockSizes[layer],
          value: layers[layer]?.toString('base64'),
        })),
      });
      await untilIdle(gateway().url);
    });

    it('can be put again as it was read', async () => {
      const layers = randomLayers([7, 1, 100_000]);
      const [first, second] = [newKey('there'), newKey('back')];
      assert.equal((await put(first, fileOf(layers), tensors)).status, 201);
      const { body } = await get(`${first}?sizes=7,1,100000`);
      assert.equal((await put(second, body, tensors)).status, 201);
      assert.ok((await value(second)).equals(Buffer.concat(layers)));
    });

    it('may be one layer of any length as plain bytes', async () => {
      const layers = randomLayers([5, 70_000, 3 * mebibyte]);
      const key = await store(Buffer.concat(layers));
      for (const [number, bytes] of layers.entries()) {
        const what = `${key}?sizes=5,70000,${3 * mebibyte}&select=${number}`;
        const answer = await get(what, { accept: OCTETS });
        assert.equal(answer.headers['content-type'], OCTETS);
        assert.ok(answer.body.equals(bytes));
        const reported = await head(what, { accept: OCTETS });
        assert.equal(reported.headers['content-length'], String(bytes.length));
      }
      const two = `${key}?sizes=5,70000,${3 * mebibyte}&select=0-1`;
      const options = { accept: OCTETS };
      await refused('GET', two, 406, 'not-acceptable', options);
      assert.equal((await get(two, { accept: `${OCTETS}, */*;q=0.1` })).status, 200);
      await untilIdle(gateway().url);
    });

    it('has the same headers for HEAD as for GET', async () => {
      const key = await store(randomBytes(10));
      for (const accept of [TENSORS, 'application/json', 'multipart/mixed', '*/*']) {
        const what = `${key}?layout=pair`;
        const [reported, whole] = [await head(what, { accept }), await get(what, { accept })];
        for (const name of ['content-length', 'cache-control', 'vary']) {
          assert.equal(reported.headers[name], whole.headers[name], name);
        }
      }
      assert.equal((await head(`${key}?sizes=11`)).status, 422);
      assert.equal((await head(`${newKey('n')}?sizes=1`)).status, 404);
    });

    it('gets 422 with both numbers when the sizes do not add up to its length', async () => {
      const key = await store(randomBytes(10));
      for (const sizes of ['9', '11', '5x3', '1x9', block]) {
        const { json: reported } = await refused(
          'GET',
          `${key}?sizes=${sizes}`,
          422,
          'layers-mismatch',
        );
        assert.equal(reported['actualBytes'], 10);
        assert.notEqual(reported['expectedBytes'], 10);
      }
      const missing = `${newKey('missing')}?sizes=10`;
      await refused('GET', missing, 404, 'object-not-found');
      await untilIdle(gateway().url);
    });

    it('gets 400 when a parameter is invalid', async () => {
      const key = await store(randomBytes(255));
      assert.equal((await get(`${key}?sizes=1x255`)).status, 200);
      assert.equal((await get(`${key}?sizes=1x254,1&select=0-254`)).status, 200);
      for (const query of [
        ...['', 'sizes=', 'sizes=0', 'sizes=1x256', 'sizes=1x255,1', 'sizes=1x0', 'sizes=-1'],
        ...['sizes=1x', 'sizes=x1', 'sizes=1.5', 'sizes=0x10', 'sizes=255,', 'sizes=,255'],
        ...['sizes=999999999999999x255', 'sizes=1e2', `sizes=${'1,'.repeat(3000)}1`],
        ...['layout=', 'layout=none', 'layout=pair&sizes=5x2', 'sizes=5&sizes=5'],
        ...['sizes=1x255&select=', 'sizes=1x255&select=255', 'sizes=1x255&select=3-1'],
        ...['sizes=1x255&select=0,0', 'sizes=1x255&select=0-3,2', 'sizes=1x255&select=-1'],
        ...['sizes=1x255&select=a', 'sizes=1x255&select=1-', 'sizes=1x255&replicas=1'],
      ]) {
        await refused('GET', `${key}?${query}`, 400, 'invalid-parameter');
      }
    });

    it('allows only GET, HEAD and PUT', async () => {
      const { headers } = await refused('DELETE', 'a?sizes=1', 405, 'method-not-allowed');
      assert.equal(headers['allow'], 'GET, HEAD, PUT');
    });

    it('obeys conditions as the plain object does', async () => {
      const key = await store('0123456789');
      const there = await get(`${key}?layout=pair`, { 'if-none-match': '*' });
      assert.equal(there.status, 304);
      const absent = { 'if-match': '*' };
      const what = `${newKey('none')}?layout=pair`;
      await refused('GET', what, 412, 'precondition-failed', absent);
    });
  });
});
