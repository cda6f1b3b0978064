import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GatewayError } from '../../../src/client/index.ts';
import { safetensorsFile, safetensorsOf } from '../../helpers/bodies/safetensors.ts';
import { type Answer, ok, scripted } from '../../helpers/engine/scripted-client.ts';

const item = (members: object): Answer =>
  ok(JSON.stringify({ items: [{ key: '..', code: 0, ...members }], failed: 0 }));
const busy = { type: '/problems/arena-full', status: 503, detail: 'why', retryable: true };
const gone = { type: '/problems/object-not-found', status: 404, detail: 'why', retryable: false };
const file: Answer = ok(safetensorsOf([['..', Buffer.from('value')]]));
const failed = (failure: object): Answer => {
  const failures = JSON.stringify([{ key: '..', code: null, ...failure }]);
  return ok(safetensorsFile({ __metadata__: { failures, failed: '1' } }));
};
const textOf = async (stream: ReadableStream): Promise<string> => new Response(stream).text();

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
    assert.equal(Buffer.from(await client.get('..')).toString(), 'value');
    const { size, body } = await client.getStream('..');
    assert.deepEqual([size, await textOf(body)], [5, 'value']);
    assert.deepEqual(await client.info('..'), { key: '..', size: 5, replicas: [] });
    assert.equal(await client.exists('..'), false);
    await client.remove('..');
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
    assert.equal(Buffer.from(await client.get('..', { range })).toString(), 'al');
    const stream = await client.getStream('..', { range: { start: 3 } });
    assert.deepEqual([stream.size, await textOf(stream.body)], [2, 'ue']);
    await assert.rejects(client.get('..', { range: { start: 5 } }), (error) => {
      assert.ok(error instanceof GatewayError);
      assert.equal(error.message, 'range-not-satisfiable (416): The object has 5 bytes.');
      return true;
    });
    await assert.rejects(client.get('..', { range: { start: 3, end: 3 } }), RangeError);
  });

  it('throws its problem, and is retried if that can help', async () => {
    const { client, left } = scripted([
      failed(busy),
      file,
      item(busy),
      item({ status: 200, exists: true }),
      failed(gone),
      failed(gone),
      item(gone),
      item(gone),
      item(gone),
    ]);
    assert.equal((await client.get('..')).length, 5);
    assert.equal(await client.exists('..'), true);
    for (const call of [
      () => client.get('..'),
      () => client.getStream('..'),
      () => client.info('..'),
      () => client.remove('..'),
      () => client.put('..', 'x'),
    ]) {
      await assert.rejects(call(), (error) => {
        assert.ok(error instanceof GatewayError);
        assert.equal(error.message, 'object-not-found (404): why');
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
