import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GatewayError } from '../../../packages/client/src/index.ts';
import { safetensorsFile, safetensorsOf } from '../../helpers/bodies/safetensors.ts';
import { textOf } from '../../helpers/bodies/text.ts';
import { type Answer, ok, scripted } from '../../helpers/engine/scripted-client.ts';

const item = (members: object): Answer =>
  ok(JSON.stringify({ items: [{ key: '..', code: 0, ...members }], failed: 0 }));
const busy = { type: '/problems/arena-full', status: 503, detail: 'why', retryable: true };
const gone = { type: '/problems/object-not-found', status: 404, detail: 'why', retryable: false };
const locked = { type: '/problems/lease-active', status: 423, detail: 'why', retryable: false };
const file: Answer = ok(safetensorsOf([['..', Buffer.from('value')]]));
const failed = (failure: object): Answer => {
  const failures = JSON.stringify([{ key: '..', code: null, ...failure }]);
  return ok(safetensorsFile({ __metadata__: { failures, failed: '1' } }));
};
const readAll = async (stream: ReadableStream | undefined): Promise<string> =>
  new Response(stream).text();

describe('a key that no path can contain', () => {
  it('is sent in a batch of one by every method', async () => {
    const { client, asked } = scripted([
      item({ status: 200, outcome: 'kept' }),
      file,
      file,
      item({ status: 200, size: 5, replicas: [] }),
      item({ status: 200, exists: false }),
      item({ status: 204 }),
    ]);
    assert.equal(await client.put('..', 'value', { ifExists: 'keep' }), 'kept');
    assert.equal(textOf(await client.get('..')), 'value');
    const stream = await client.getStream('..');
    assert.deepEqual([stream?.size, await readAll(stream?.body)], [5, 'value']);
    assert.deepEqual(await client.info('..'), { size: 5, replicas: [] });
    assert.equal(await client.has('..'), false);
    assert.equal(await client.delete('..'), true);
    assert.deepEqual(
      asked.map(({ url }) => url.replace('http://gateway:1/v1/batch/', '')),
      ['put?ifExists=keep', 'get', 'get', 'info', 'exists', 'remove'],
    );
  });

  it('can be stored from a stream', async () => {
    const { client, asked } = scripted([item({ status: 201, outcome: 'created' })]);
    await client.put('..', new Blob(['value']).stream());
    const [{ body } = assert.fail()] = asked;
    assert.match(await (body as Blob).text(), /value$/);
  });

  it('supports ranges, also outside the object', async () => {
    const { client } = scripted([file, file, file, file]);
    const range = { start: 1, end: 3 };
    assert.equal(textOf(await client.get('..', { range })), 'al');
    const stream = await client.getStream('..', { range: { start: 3 } });
    assert.deepEqual([stream?.size, await readAll(stream?.body)], [2, 'ue']);
    await assert.rejects(client.get('..', { range: { start: 5 } }), (error) => {
      assert.ok(error instanceof GatewayError);
      assert.equal(error.message, 'range-not-satisfiable (416): The object has 5 bytes.');
      return true;
    });
    await assert.rejects(client.get('..', { range: { start: 3, end: 3 } }), RangeError);
  });

  it('has a value if the object is missing', async () => {
    const { client, left } = scripted([
      ...Array<Answer>(3).fill(failed(gone)),
      item(gone),
      item(gone),
    ]);
    assert.equal(await client.get('..'), undefined);
    assert.equal(await client.get('..', { range: { start: 1 } }), undefined);
    assert.equal(await client.getStream('..'), undefined);
    assert.equal(await client.info('..'), undefined);
    assert.equal(await client.delete('..'), false);
    assert.equal(left.length, 0);
  });

  it('throws its problem, and is retried if that can help', async () => {
    const { client, left } = scripted([
      failed(busy),
      file,
      item(busy),
      item({ status: 200, exists: true }),
      ...Array<Answer>(2).fill(failed(locked)),
      ...Array<Answer>(4).fill(item(locked)),
    ]);
    assert.equal((await client.get('..'))?.length, 5);
    assert.equal(await client.has('..'), true);
    for (const call of [
      () => client.get('..'),
      () => client.getStream('..'),
      () => client.info('..'),
      () => client.has('..'),
      () => client.delete('..'),
      () => client.put('..', 'x'),
    ]) {
      await assert.rejects(call(), (error) => {
        assert.ok(error instanceof GatewayError);
        assert.equal(error.message, 'lease-active (423): why');
        return true;
      });
    }
    assert.equal(left.length, 0);
  });

  it('does not support a digest, and the error says so', async () => {
    const { client } = scripted([]);
    await assert.rejects(client.put('.', 'x', { contentDigest: 'sha-256=:x:' }), RangeError);
  });
});
