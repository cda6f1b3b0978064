import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import {
  blockSizes,
  chunked,
  fileOf,
  form,
  json,
  layerLimits,
  layersTo,
  mebibyte,
  partsOf,
  randomLayers,
  tensors,
} from '../../helpers/bodies/layers.ts';
import { safetensorsFile, safetensorsOf } from '../../helpers/bodies/safetensors.ts';
import { withSharedGateway } from '../../helpers/http/lanes.ts';
import { requestTo } from '../../helpers/http/requests.ts';
import { untilIdle } from '../../helpers/process/metrics.ts';

withSharedGateway(layerLimits, (gateway) => {
  const { request, newKey, value, store } = requestTo(gateway);
  const { put, refused: refuse } = layersTo(gateway);
  const refused = (...rest: Parameters<typeof refuse> extends [string, ...infer R] ? R : never) =>
    refuse('PUT', ...rest);

  describe('an object put in layers', () => {
    it('holds the bytes of the layers one after another, in every form of body', async () => {
      for (const sizes of [[1], [5, 1, 70_000], blockSizes]) {
        const layers = randomLayers(sizes);
        const whole = Buffer.concat(layers);
        const big = whole.length > mebibyte;
        for (const [body, headers] of [
          [fileOf(layers), tensors],
          [fileOf(layers), { ...tensors, ...chunked }],
          [partsOf(layers), form],
          ...(big ? [] : [[partsOf(layers), { ...form, ...chunked }] as const]),
        ] as const) {
          const key = newKey('layers');
          const answer = await put(key, body, headers);
          assert.equal(answer.status, 201, answer.body.toString());
          assert.equal(answer.headers['memcache-outcome'], 'created');
          assert.equal(answer.headers['location'], `/v1/objects/${key}`);
          assert.ok((await value(key)).equals(whole));
          await request('DELETE', key);
        }
      }
      await untilIdle(gateway().url);
    });

    it('may be sent as JSON', async () => {
      const key = newKey('json');
      const body = JSON.stringify({ layers: ['aGVsbG8=', 'IHdvcmxk'] });
      assert.equal((await put(key, body, json)).status, 201);
      assert.equal((await value(key)).toString(), 'hello world');
    });

    it('has its layers in the order of their numbers, not of their bytes or of the header', async () => {
      const layers = randomLayers([3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8]);
      const byText = layers
        .map((bytes, number) => [String(number), bytes] as const)
        .sort(([a], [b]) => (a < b ? -1 : 1));
      assert.deepEqual(byText.map(([name]) => name).slice(0, 4), ['0', '1', '10', '11']);
      for (const order of [byText, [...byText].reverse()]) {
        for (const query of ['', '?sizes=3,1,4,1,5,9,2,6,5,3,5,8']) {
          const key = newKey('order');
          assert.equal((await put(key + query, safetensorsOf(order), tensors)).status, 201);
          assert.ok((await value(key)).equals(Buffer.concat(layers)));
        }
      }
    });

    it('may have any type, metadata and holes', async () => {
      const key = newKey('types');
      const header = {
        __metadata__: { format: 'pt' },
        1: { dtype: 'BF16', shape: [2], data_offsets: [16, 20] },
        0: { dtype: 'F32', shape: [1, 2], data_offsets: [0, 8] },
      };
      const bytes = randomBytes(20);
      assert.equal((await put(key, safetensorsFile(header, bytes), tensors)).status, 201);
      const expected = Buffer.concat([bytes.subarray(0, 8), bytes.subarray(16)]);
      assert.ok((await value(key)).equals(expected));
    });

    it('accepts the options and the conditions of a PUT', async () => {
      const layers = randomLayers([5, 5]);
      const key = await store('there already');
      await refused(key, 409, 'object-exists', tensors, fileOf(layers));
      await refused(
        key,
        412,
        'precondition-failed',
        {
          ...tensors,
          'if-none-match': '*',
        },
        fileOf(layers),
      );
      const kept = await put(`${key}?ifExists=keep`, fileOf(layers), tensors);
      assert.deepEqual([kept.status, kept.headers['memcache-outcome']], [200, 'kept']);
      const replaced = await put(`${key}?ifExists=replace&layout=pair`, partsOf(layers), form);
      assert.deepEqual([replaced.status, replaced.headers['memcache-outcome']], [200, 'replaced']);
      assert.ok((await value(key)).equals(Buffer.concat(layers)));
      await refused(
        `${newKey('two')}?replicas=2`,
        422,
        'placement-impossible',
        tensors,
        fileOf(layers),
      );
    });

    it('is not stored from a body with another digest', async () => {
      const key = newKey('digest');
      for (const [body, headers] of [
        [fileOf(randomLayers([5, 5])), tensors],
        [partsOf(randomLayers([5, 5])), form],
        ['{"layers":["aGVsbG8="]}', json],
      ] as const) {
        const digest = (bytes: Uint8Array | string): string =>
          `sha-256=:${createHash('sha256').update(bytes).digest('base64')}:`;
        const wrong = { ...headers, 'content-digest': digest('other') };
        await refused(key, 400, 'digest-mismatch', wrong, body);
        assert.equal((await request('HEAD', key)).status, 404);
        const right = { ...headers, 'content-digest': digest(body) };
        assert.equal((await put(`${key}?ifExists=replace`, body, right)).status % 100, 1);
        await request('DELETE', key);
      }
    });

    it('has 1 to 255 layers of at least one byte', async () => {
      const ones = (count: number): Buffer[] => randomLayers(Array<number>(count).fill(1));
      for (const [bodyOf, headers] of [
        [fileOf, tensors],
        [partsOf, form],
      ] as const) {
        const key = newKey('most');
        assert.equal((await put(key, bodyOf(ones(255)), headers)).status, 201);
        await refused(newKey('more'), 400, 'invalid-body', headers, bodyOf(ones(256)));
        const empty = [...ones(2), Buffer.alloc(0), ...ones(1)];
        await refused(newKey('empty'), 400, 'invalid-body', headers, bodyOf(empty));
      }
      await refused(newKey('none'), 422, 'empty-object', tensors, fileOf([]));
      await refused(newKey('none'), 422, 'empty-object', form, partsOf([]));
      await untilIdle(gateway().url);
    });

    it('has layers of the given sizes, or is not stored', async () => {
      const key = newKey('sizes');
      const wrong = [[5], [5, 4], [4, 5], [5, 6], [5, 5, 1], [1, 1]];
      for (const sizes of wrong) {
        for (const [body, headers] of [
          [fileOf(randomLayers(sizes)), tensors],
          [fileOf(randomLayers(sizes)), { ...tensors, ...chunked }],
          [partsOf(randomLayers(sizes)), form],
          [partsOf(randomLayers(sizes)), { ...form, ...chunked }],
          [JSON.stringify({ layers: randomLayers(sizes).map((b) => b.toString('base64')) }), json],
        ] as const) {
          const { json: reported } = await refused(
            `${key}?sizes=5x2`,
            422,
            'layers-mismatch',
            headers,
            body,
          );
          assert.ok(Number.isInteger(reported['expectedBytes']), JSON.stringify(reported));
          assert.notEqual(reported['expectedBytes'], reported['actualBytes']);
        }
      }
      assert.equal((await request('HEAD', key)).status, 404);
      assert.equal(
        (await put(`${key}?sizes=5x2`, partsOf(randomLayers([5, 5])), form)).status,
        201,
      );
      await untilIdle(gateway().url);
    });

    it('gets 413 beyond the limit of objects, with and without a known length', async () => {
      const limit = 16 * mebibyte;
      const whole = (bytes: number): Buffer[] => [Buffer.alloc(1), Buffer.alloc(bytes - 1)];
      for (const [bodyOf, headers] of [
        [fileOf, tensors],
        [partsOf, form],
      ] as const) {
        const key = newKey('large');
        assert.equal((await put(key, bodyOf(whole(limit)), headers)).status, 201);
        await request('DELETE', key);
        const { json: reported } = await refused(
          key,
          413,
          'object-too-large',
          headers,
          bodyOf(whole(limit + 1)),
        );
        assert.equal(reported['limitBytes'], limit);
      }
      const key = newKey('unsized');
      const unsized = { ...form, ...chunked };
      assert.equal((await put(key, partsOf(whole(mebibyte)), unsized)).status, 201);
      const more = partsOf(whole(mebibyte + 1));
      await refused(newKey('unsized'), 413, 'unsized-body-too-large', unsized, more);
      const named = `${newKey('named')}?sizes=1,${mebibyte}`;
      assert.equal((await put(named, more, unsized)).status, 201);
      await untilIdle(gateway().url);
    });

    it('is refused when its names, its body or its type are invalid', async () => {
      const layers = randomLayers([5, 5]);
      for (const names of [
        ['0', '2'],
        ['1', '2'],
        ['0', '01'],
        ['0', 'a'],
        ['0', '+1'],
        ['0', '-1'],
        ['0', '1e0'],
      ]) {
        const file = safetensorsOf(names.map((name, i) => [name, layers[i] ?? Buffer.alloc(1)]));
        await refused(newKey('names'), 400, 'invalid-body', tensors, file);
      }
      const cut = fileOf(layers).subarray(0, -1);
      await refused(newKey('cut'), 400, 'invalid-body', { ...tensors, ...chunked }, cut);
      await refused(newKey('cut'), 400, 'invalid-body', form, partsOf(layers).subarray(0, -4));
      await refused(
        newKey('boundary'),
        400,
        'invalid-body',
        {
          'content-type': 'multipart/form-data',
        },
        partsOf(layers),
      );
      await refused(
        newKey('type'),
        415,
        'unsupported-media-type',
        {
          'content-type': 'text/plain',
        },
        'x',
      );
      await refused(newKey('type'), 415, 'unsupported-media-type', {}, 'x');
      await refused(`${newKey('q')}?select=0`, 400, 'invalid-parameter', tensors, fileOf(layers));
      await untilIdle(gateway().url);
    });
  });
});
