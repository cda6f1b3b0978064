import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';
import { batchesOf, batchLimits, MOST_JSON_BYTES } from '../../helpers/bodies/batches.ts';
import { formOf } from '../../helpers/bodies/multipart.ts';
import { readSafetensors, safetensorsOf } from '../../helpers/bodies/safetensors.ts';
import { abortAfter, ways } from '../../helpers/http/aborts.ts';
import { clientOf } from '../../helpers/http/checked-client.ts';
import { withSharedGateway } from '../../helpers/http/lanes.ts';
import { chunked, connectRaw, requestHead } from '../../helpers/http/raw-connection.ts';
import { metric, untilIdle, usedBlocks } from '../../helpers/process/metrics.ts';
import { until } from '../../helpers/process/until.ts';

const mebibyte = 1 << 20;
const tensors = 'application/vnd.safetensors';
const form = 'multipart/form-data; boundary=b';
const asTensors = { 'content-type': 'application/json', accept: tensors };
const below = (limit: number): number => Math.floor(Math.random() * limit);

withSharedGateway(batchLimits, (gateway) => {
  const { batch, post } = batchesOf(gateway);

  const head = (operation: string, headers: Record<string, string | number>) =>
    Buffer.from(requestHead('POST', `/v1/batch/${operation}`, headers));

  async function store(count: number, bytes: number): Promise<string[]> {
    const stem = randomUUID();
    const values = Array.from(
      { length: count },
      (_, i) => [`${stem}/${i}`, Buffer.alloc(bytes, i)] as const,
    );
    const items = await clientOf(gateway).putMany(values);
    assert.ok(items.every(({ ok }) => ok));
    return values.map(([key]) => key);
  }

  describe('a batch put that is cut off at any byte', () => {
    it('leaves no block allocated', async () => {
      const sizes = [1, 100, 5_000, 70_000, 200_000, 1_500_000];
      const values = sizes.map((size) => randomBytes(size));
      const encoded = values.map((bytes) => bytes.toString('base64'));
      const bodyOf = (type: string): Buffer => {
        if (type === 'application/json') {
          const items = encoded.map((value) => ({ key: randomUUID(), value }));
          return Buffer.from(JSON.stringify({ items }));
        }
        const pairs = values.map((bytes) => [randomUUID(), bytes] as const);
        return type === form ? formOf('b', pairs) : safetensorsOf(pairs);
      };
      const types = ['application/json', form, tensors] as const;
      const upload = async (i: number) => {
        const type = types[i % 3] ?? form;
        const body = bodyOf(type);
        const sized = i % 2 === 0;
        const framing: Record<string, string | number> = sized
          ? { 'Content-Length': body.length }
          : { 'Transfer-Encoding': 'chunked' };
        const start = head('put', { 'Content-Type': type, ...framing });
        const whole = Buffer.concat([start, sized ? body : chunked(body)]);
        await abortAfter(
          gateway().port,
          whole.subarray(0, below(whole.length)),
          ways[i % ways.length] ?? 'end',
        );
      };
      await Promise.all(
        [0, 1, 2, 3].map(async (lane) => {
          for (let i = lane; i < 60; i += 4) await upload(i);
        }),
      );
      await untilIdle(gateway().url);
    });
  });

  describe('a batch get whose client', () => {
    it('disconnects during the response leaves no block allocated, in any form', async () => {
      const keys = await store(6, 3 * mebibyte);
      const body = JSON.stringify({ keys });
      for (const accept of ['application/json', 'multipart/mixed', tensors]) {
        for (const how of ways) {
          for (const answerBytes of [0, 1, 100_000, 10 * mebibyte]) {
            const headers = {
              'Content-Type': 'application/json',
              'Content-Length': body.length,
              Accept: accept,
            };
            const whole = Buffer.concat([head('get', headers), Buffer.from(body)]);
            await abortAfter(gateway().port, whole, how, answerBytes);
          }
        }
      }
      await untilIdle(gateway().url);
      assert.equal((await batch('remove', { keys })).failed, 0);
    });

    it('does not read holds two windows, and other requests are served', async () => {
      const keys = await store(16, 3 * mebibyte);
      const small = await store(3, 1000);
      const body = JSON.stringify({ keys });
      const headers = { 'Content-Type': 'application/json', 'Content-Length': body.length };
      const connection = await connectRaw(gateway().port);
      connection.socket.pause();
      connection.send(
        Buffer.concat([head('get', { ...headers, Accept: tensors }), Buffer.from(body)]),
      );
      await until(async () => (await metric(gateway().url, usedBlocks)) === 2);
      const { body: file } = await post('get', JSON.stringify({ keys: small }), asTensors);
      assert.equal(readSafetensors(file).tensors.size, 3);
      assert.equal(await metric(gateway().url, usedBlocks), 2);
      connection.destroy();
      await untilIdle(gateway().url);
      assert.equal((await batch('remove', { keys })).failed, 0);
    });
  });

  describe('many batches at once', () => {
    it('share an arena that is too small for all, and all complete', async () => {
      const all = await Promise.all(
        Array.from({ length: 8 }, async (_, lane) => {
          const keys = await store(4, (1 + (lane % 4)) * mebibyte);
          const { body } = await post('get', JSON.stringify({ keys }), asTensors);
          const { tensors: found, metadata } = readSafetensors(body);
          assert.equal(metadata['failed'], '0');
          assert.equal(found.size, 4);
          return keys;
        }),
      );
      assert.equal((await batch('remove', { keys: all.flat() })).failed, 0);
      await untilIdle(gateway().url);
    });

    it('hold no more JSON than their limit, and get 503 beyond it', async () => {
      const length = MOST_JSON_BYTES;
      const headers = { 'Content-Type': 'application/json', 'Content-Length': length };
      const holders = await Promise.all(
        // From an address each: one client gets no more than half.
        Array.from({ length: 7 }, async (_, index) => {
          const connection = await connectRaw(gateway().port, `127.0.1.${index + 1}`);
          connection.send(head('exists', { ...headers, Expect: '100-continue' }));
          assert.equal((await connection.next()).status, 100);
          // With more than half of the body, the gateway allocates the memory for all of it.
          connection.send(Buffer.alloc(length / 2 + 1, ' '));
          return connection;
        }),
      );
      const held = () => metric(gateway().url, 'memcache_gateway_text_held_bytes');
      await until(async () => (await held()) >= holders.length * length);
      const late = await connectRaw(gateway().port);
      late.send(head('exists', headers));
      late.send(Buffer.alloc(length / 2 + 1, ' '));
      const answer = await late.next({ method: 'POST', path: '/v1/batch/exists' });
      assert.equal(answer.status, 503);
      for (const connection of [...holders, late]) connection.destroy();
      await until(async () => {
        const { status } = await post('exists', '{"keys":[]}'.padEnd(length), {
          'content-type': 'application/json',
        });
        return status === 200;
      });
      await untilIdle(gateway().url);
    });
  });
});
