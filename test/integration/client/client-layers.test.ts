import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';
import { GatewayError } from '../../../packages/client/src/index.ts';
import { blockSizes, layerLimits, randomLayers } from '../../helpers/bodies/layers.ts';
import { clientOf } from '../../helpers/http/checked-client.ts';
import { withSharedGateway } from '../../helpers/http/lanes.ts';
import { untilIdle } from '../../helpers/process/metrics.ts';

withSharedGateway(layerLimits, (gateway) => {
  const { put, get, putLayers, getLayers, getLayersMany, deleteMany } = clientOf(gateway);
  const newKey = (): string => `client/${randomUUID()}/ü?`;
  const same = (found: Uint8Array | undefined, bytes: Uint8Array | undefined): boolean =>
    found !== undefined && bytes !== undefined && Buffer.from(found).equals(bytes);
  const isMismatch = (error: unknown): boolean =>
    error instanceof GatewayError && error.problem === 'layers-mismatch';

  describe('the client and layers', () => {
    it('puts a block in layers, and gets all layers, some layers, or the whole', async () => {
      const layers = randomLayers(blockSizes);
      const key = newKey();
      assert.equal(await putLayers(key, layers, { layout: 'deepseek-r1' }), 'created');
      assert.ok(same(await get(key), Buffer.concat(layers)));
      const all = await getLayers(key, { sizes: blockSizes });
      assert.equal(all?.length, 122);
      for (const [number, bytes] of all.entries()) assert.ok(same(bytes, layers[number]));
      const some = await getLayers(key, { layout: 'deepseek-r1', select: [121, 0, 1, 2] });
      assert.equal(some?.length, 4);
      for (const [at, number] of [121, 0, 1, 2].entries()) {
        assert.ok(same(some[at], layers[number]));
      }
      assert.equal(await getLayers(newKey(), { sizes: blockSizes }), undefined);
      await untilIdle(gateway().url);
    });

    it('rejects when the sizes do not match, in a put and in a get', async () => {
      const key = newKey();
      const layers = randomLayers([5, 4]);
      await assert.rejects(putLayers(key, layers, { layout: 'pair' }), isMismatch);
      assert.equal(await putLayers(key, layers), 'created');
      await assert.rejects(getLayers(key, { layout: 'pair' }), isMismatch);
    });

    it('gets one layer of many objects, each with its own result', async () => {
      const values = Array.from({ length: 4 }, () => randomBytes(10));
      // Each of these keys looks like a layer of another one.
      const stem = newKey();
      const keys = [stem, `${stem}/0`, `${stem}/0/1`, '__metadata__'];
      for (const [n, key] of keys.entries()) {
        await put(key, values[n] ?? '', { ifExists: 'replace' });
      }
      const short = newKey();
      await put(short, 'short');
      const asked = [...keys, short, newKey(), stem];
      const results = await getLayersMany(asked, { layout: 'pair', select: [1] });
      assert.equal(results.length, asked.length);
      const [mismatch, missing] = results.slice(4, 6);
      assert.ok(mismatch?.ok === false && isMismatch(mismatch.error));
      assert.deepEqual(missing, { ok: true, layers: undefined });
      for (const [n, value] of [...values.entries(), [6, values[0]] as const]) {
        const result = results[n];
        assert.ok(result?.ok);
        assert.equal(result.layers?.length, 1);
        assert.ok(same(result.layers[0], value?.subarray(5)));
      }
      await deleteMany([...keys, short]);
    });
  });
});
