import assert from 'node:assert/strict';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';
import { GatewayError } from '../../../packages/client/src/index.ts';
import { textOf } from '../../helpers/bodies/text.ts';
import { clientOf } from '../../helpers/http/checked-client.ts';
import { smallLimits, withSharedGateway } from '../../helpers/http/lanes.ts';

withSharedGateway(smallLimits, (gateway) => {
  const { put, get, getStream, info, has, delete: remove } = clientOf(gateway);
  const newKey = (): string => `client/${randomUUID()}/ü?`;

  describe('the client on a gateway', () => {
    it('stores, reads, inspects and removes an object of any size', async () => {
      for (const bytes of [1, 1000, 3_000_000]) {
        const key = newKey();
        const value = randomBytes(bytes);
        assert.equal(await has(key), false);
        assert.equal(await put(key, value), 'created');
        assert.deepEqual(await get(key), new Uint8Array(value));
        const stream = await getStream(key);
        assert.equal(stream?.size, bytes);
        const streamed = await new Response(stream.body).arrayBuffer();
        assert.ok(Buffer.from(streamed).equals(value));
        const { size, replicas } = (await info(key)) ?? assert.fail('no object');
        assert.deepEqual([size, replicas.length], [bytes, 1]);
        assert.equal(await has(key), true);
        assert.equal(await remove(key), true);
        assert.equal(await remove(key), false);
        assert.equal(await get(key), undefined);
        assert.equal(await getStream(key), undefined);
        assert.equal(await info(key), undefined);
      }
    });

    it('accepts values in every form, including a stream, and sends their digest', async () => {
      const text = 'x'.repeat(100_000);
      const digest = `sha-256=:${createHash('sha256').update(text).digest('base64')}:`;
      for (const value of [
        text,
        Buffer.from(text),
        new TextEncoder().encode(text).buffer,
        new Blob([text]),
        new Blob([text]).stream(),
      ]) {
        const key = newKey();
        assert.equal(await put(key, value, { contentDigest: digest }), 'created');
        assert.equal(textOf(await get(key)), text);
      }
      const wrong = put(newKey(), 'y', { contentDigest: digest });
      await assert.rejects(wrong, /digest-mismatch/);
    });

    it('returns the outcome for an existing object', async () => {
      const key = newKey();
      await put(key, 'one');
      await assert.rejects(put(key, 'two'), (error) => {
        assert.ok(error instanceof GatewayError);
        const { problem, status, code, errno, retryable } = error;
        assert.deepEqual(
          { problem, status, code, errno, retryable },
          {
            ...{ problem: 'object-exists', status: 409, retryable: false },
            // As in the error of a store for Node programs.
            ...{ code: 'MMC_DUPLICATED_OBJECT', errno: -3006 },
          },
        );
        return true;
      });
      assert.equal(await put(key, 'two', { ifExists: 'keep' }), 'kept');
      assert.equal(await put(key, 'three', { ifExists: 'replace' }), 'replaced');
      assert.equal(textOf(await get(key, { range: { start: 1, end: 3 } })), 'hr');
      const two = put(newKey(), 'x', { replicas: 2 });
      await assert.rejects(two, /placement-impossible \(422\)/);
    });

    it('ends when its signal aborts', async () => {
      const key = newKey();
      await put(key, 'x');
      const signal = AbortSignal.abort(new Error('enough'));
      await assert.rejects(get(key, { signal }), /enough/);
      await assert.rejects(put(newKey(), 'x', { signal }), /enough/);
    });
  });
});
