import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import {
  fileOf,
  form,
  layerLimits,
  layersTo,
  mebibyte,
  OCTETS,
  partsOf,
  randomLayers,
  TENSORS,
} from '../../helpers/bodies/layers.ts';
import { abortAfter, ways } from '../../helpers/http/aborts.ts';
import { withSharedGateway } from '../../helpers/http/lanes.ts';
import { chunked, connectRaw, requestHead } from '../../helpers/http/raw-connection.ts';
import { requestTo } from '../../helpers/http/requests.ts';
import { metric, untilIdle, usedBlocks } from '../../helpers/process/metrics.ts';
import { until } from '../../helpers/process/until.ts';

const below = (limit: number): number => Math.floor(Math.random() * limit);
const sizes = [1, 5_000, 70_000, 200_000, 500_000];
const named = `sizes=${sizes.join(',')}`;

withSharedGateway(layerLimits, (gateway) => {
  const { request, newKey, store } = requestTo(gateway);
  const { put, get } = layersTo(gateway);

  describe('uploads of layers that are cut off at any byte', () => {
    it('leave no block allocated, and store nothing', async () => {
      const keys: string[] = [];
      const upload = async (i: number) => {
        const layers = randomLayers(sizes);
        const [type, body] =
          i % 2 === 0 ? [form['content-type'], partsOf(layers)] : [TENSORS, fileOf(layers)];
        const key = newKey('cut');
        keys.push(key);
        const path = `/v1/layers/${key}${i % 3 === 0 ? `?${named}` : ''}`;
        const sized = i % 5 < 3;
        const framing: Record<string, string | number> = sized
          ? { 'Content-Length': body.length }
          : { 'Transfer-Encoding': 'chunked' };
        const head = requestHead('PUT', path, { 'Content-Type': type, ...framing });
        const whole = Buffer.concat([Buffer.from(head), sized ? body : chunked(body)]);
        const cut = below(whole.length);
        await abortAfter(gateway().port, whole.subarray(0, cut), ways[i % ways.length] ?? 'end');
      };
      await Promise.all(
        [0, 1, 2, 3].map(async (lane) => {
          for (let i = lane; i < 120; i += 4) await upload(i);
        }),
      );
      await untilIdle(gateway().url);
      for (const key of keys) assert.equal((await request('HEAD', key)).status, 404);
    });
  });

  describe('downloads of layers', () => {
    it('leave no block allocated when the client disconnects', async () => {
      const key = await store(randomBytes(12 * mebibyte));
      for (const accept of ['application/json', 'multipart/mixed', TENSORS, OCTETS]) {
        const select = accept === OCTETS ? '&select=2' : '';
        for (const how of ways) {
          for (const answerBytes of [0, 1, 100_000, 3 * mebibyte]) {
            const path = `/v1/layers/${key}?sizes=${4 * mebibyte}x3${select}`;
            const head = requestHead('GET', path, { Accept: accept });
            await abortAfter(gateway().port, head, how, answerBytes);
          }
        }
      }
      await untilIdle(gateway().url);
    });

    it('share the block of one read, and continue when another client disconnects', async () => {
      const whole = randomBytes(12 * mebibyte);
      const key = await store(whole);
      const path = `/v1/layers/${key}?sizes=${4 * mebibyte}x3`;
      const idle = await connectRaw(gateway().port);
      idle.socket.pause();
      idle.send(requestHead('GET', path, {}));
      await until(async () => ((await metric(gateway().url, usedBlocks)) ?? 0) > 0);
      const reads = [0, 1, 2].map((layer) =>
        get(`${key}?sizes=${4 * mebibyte}x3&select=${layer}`, { accept: OCTETS }),
      );
      idle.destroy();
      for (const [layer, read] of reads.entries()) {
        const { body } = await read;
        assert.ok(body.equals(whole.subarray(layer * 4 * mebibyte, (layer + 1) * 4 * mebibyte)));
      }
      await untilIdle(gateway().url);
    });
  });

  describe('many uploads of layers at once', () => {
    it('share an arena that is too small for all', async () => {
      const upload = async (i: number) => {
        const layers = randomLayers([6 * mebibyte, 6 * mebibyte]);
        const key = newKey('many');
        const answer =
          i % 2 === 0
            ? await put(key, partsOf(layers), form)
            : await put(key, fileOf(layers), { 'content-type': TENSORS });
        assert.equal(answer.status, 201, answer.body.toString());
        await request('DELETE', key);
      };
      await Promise.all(Array.from({ length: 12 }, (_, i) => upload(i)));
      await untilIdle(gateway().url);
    });
  });
});
