import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { safetensorsFile, safetensorsOf } from '../../helpers/bodies/safetensors.ts';
import { textOf } from '../../helpers/bodies/text.ts';
import { type Asked, ok, problem, scripted } from '../../helpers/engine/scripted-client.ts';

const file = (...numbers: number[]) =>
  safetensorsOf(numbers.map((number) => [String(number), Buffer.from(`layer ${number}`)]));
const target = ({ method, url }: Asked) => `${method} ${url.replace('http://gateway:1', '')}`;

describe('layers that the client puts', () => {
  it('are sent as tensors with their numbers as names, in order, with the options of a put', async () => {
    const { client, asked } = scripted([ok('', { 'Memcache-Outcome': 'kept' })]);
    const layers = Array.from({ length: 12 }, (_, number) => `layer ${number}`);
    const options = { replicas: 2, prefer: [1, 2], ifExists: 'keep', layout: 'v3' } as const;
    assert.equal(await client.putLayers('kv/a b', layers, options), 'kept');
    const [put = assert.fail()] = asked;
    assert.equal(
      target(put),
      'PUT /v1/layers/kv/a%20b?replicas=2&prefer=1%2C2&ifExists=keep&layout=v3',
    );
    assert.equal(put.headers.get('content-type'), 'application/vnd.safetensors');
    const body = Buffer.from(await (put.body as Blob).arrayBuffer());
    assert.equal(body.toString('utf8', 8 + Number(body.readBigUInt64LE())), layers.join(''));
    assert.match(body.toString(), /"10":\{"dtype":"U8","shape":\[8\],"data_offsets":\[70,78\]\}/);
  });

  it('are retried like an object', async () => {
    const { client, left } = scripted([problem('arena-full', 503, true), ok('')]);
    assert.equal(await client.putLayers('a', [new Uint8Array(1)]), 'created');
    assert.equal(left.length, 0);
  });
});

describe('layers that the client reads', () => {
  it('are requested by their sizes, or the name of a layout, and by their numbers', async () => {
    const sizes = [...Array<number>(61).fill(131072), ...Array<number>(61).fill(16384), 5];
    const { client, asked } = scripted([
      ok(file(...sizes.keys())),
      ok(file(0, 1, 2, 3, 61)),
      ok(file(7, 6, 5)),
      ok(file()),
    ]);
    await client.getLayers('a', { sizes });
    await client.getLayers('a', { layout: 'v3', select: [0, 1, 2, 3, 61] });
    await client.getLayers('a', { layout: 'v3', select: [7, 6, 5] });
    await client.getLayers('a', { layout: 'v3', select: [] });
    assert.deepEqual(asked.map(target).map(decodeURIComponent), [
      'GET /v1/layers/a?sizes=131072x61,16384x61,5',
      'GET /v1/layers/a?layout=v3&select=0-3,61',
      'GET /v1/layers/a?layout=v3&select=7,6,5',
      'GET /v1/layers/a?layout=v3&select=',
    ]);
    assert.equal(asked[0]?.headers.get('accept'), 'application/vnd.safetensors');
  });

  it('are returned in the order of select, whatever their order in the response', async () => {
    for (const sent of [file(10, 2, 0), file(0, 2, 10)]) {
      const { client } = scripted([ok(sent)]);
      const layers = await client.getLayers('a', { layout: 'v3', select: [10, 2, 0] });
      assert.deepEqual(layers?.map(textOf), ['layer 10', 'layer 2', 'layer 0']);
    }
  });

  it('are exactly those that were requested', async () => {
    for (const sent of [file(0, 2), file(1), file(0, 1, 2)]) {
      const { client } = scripted([ok(sent)]);
      const call = client.getLayers('a', { layout: 'v3', select: [0, 1] });
      await assert.rejects(call, SyntaxError);
    }
  });

  it('are complete, or the request is retried', async () => {
    const whole = file(0, 1);
    const { client, left } = scripted([ok(whole.subarray(0, -1)), ok(whole)]);
    assert.equal((await client.getLayers('a', { layout: 'v3' }))?.length, 2);
    assert.equal(left.length, 0);
    const broken = scripted([ok(safetensorsFile({}, Buffer.from('x')))]);
    await assert.rejects(broken.client.getLayers('a', { layout: 'v3' }), SyntaxError);
  });

  it('with a key that no path can contain are refused', async () => {
    const { client } = scripted([]);
    await assert.rejects(client.getLayers('..', { layout: 'v3' }), RangeError);
    await assert.rejects(client.putLayers('.', ['x']), RangeError);
  });
});
