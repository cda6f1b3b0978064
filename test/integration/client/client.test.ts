import assert from 'node:assert/strict';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';
import { GatewayError } from '../../../src/client/index.ts';
import { clientOf } from '../../helpers/http/checked-client.ts';
import { smallLimits, withSharedGateway } from '../../helpers/http/lanes.ts';

withSharedGateway(smallLimits, (gateway) => {
  const { put, get, getStream, info, exists, remove } = clientOf(gateway);
  const newKey = (): string => `client/${randomUUID()}/ü?`;

  describe('the client on a gateway', () => {
    it('stores, reads, inspects and removes an object of any size', async () => {
      for (const bytes of [1, 1000, 3_000_000]) {
        const key = newKey();
        const value = randomBytes(bytes);
        assert.equal(await exists(key), false);
        assert.equal(await put(key, value), 'created');
        assert.ok(Buffer.from(await get(key)).equals(value));
        const stream = await getStream(key);
        assert.equal(stream.size, bytes);
        const streamed = await new Response(stream.body).arrayBuffer();
        assert.ok(Buffer.from(streamed).equals(value));
        const { size, replicas } = await info(key);
        assert.deepEqual([size, replicas.length], [bytes, 1]);
        assert.equal(await exists(key), true);
        await remove(key);
        await assert.rejects(get(key), (error) => {
          assert.ok(error instanceof GatewayError);
          assert.equal(error.slug, 'object-not-found');
          return true;
        });
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
        assert.equal(Buffer.from(await get(key)).toString(), text);
      }
      const wrong = put(newKey(), 'y', { contentDigest: digest });
      await assert.rejects(wrong, /digest-mismatch/);
    });

    it('returns the outcome for an existing object', async () => {
      const key = newKey();
      await put(key, 'one');
      await assert.rejects(put(key, 'two'), /object-exists \(409\)/);
      assert.equal(await put(key, 'two', { ifExists: 'keep' }), 'kept');
      assert.equal(await put(key, 'three', { ifExists: 'replace' }), 'replaced');
      assert.equal(Buffer.from(await get(key, { range: { start: 1, end: 3 } })).toString(), 'hr');
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
