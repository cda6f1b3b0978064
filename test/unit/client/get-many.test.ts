import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GatewayError } from '../../../packages/client/src/index.ts';
import {
  failure,
  keyed,
  reported,
  tensors,
  tensorsAnswer,
} from '../../helpers/engine/batch-responses.ts';
import { broken, ok, problem, scripted } from '../../helpers/engine/scripted-client.ts';

const bytesOf = (text: string) => new Uint8Array(Buffer.from(text));

async function collect<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const collected: Item[] = [];
  for await (const item of items) collected.push(item);
  return collected;
}

describe('a batch get of the client', () => {
  it('returns objects and problems in the order of the request', async () => {
    const failures = [failure('x', 'lease-active', 423), failure('y')];
    const { client, asked } = scripted([tensors({ b: 'bb', a: 'a' }, failures)]);
    const [b, x, y, a] = await client.getMany(['b', 'x', 'y', 'a']);
    assert.deepEqual(b, { ok: true, value: bytesOf('bb') });
    assert.ok(x?.ok === false && x.error instanceof GatewayError);
    assert.deepEqual(
      { ...x.error },
      {
        ...{ name: 'GatewayError', problem: 'lease-active', status: 423, detail: 'why' },
        ...{ code: 'MMC_UNMATCHED_KEY', errno: -3102, retryable: false },
        ...{ retryAfterMs: undefined, requestId: 'r-1', type: '/problems/lease-active' },
      },
    );
    assert.deepEqual(y, { ok: true, value: undefined });
    assert.deepEqual(a, { ok: true, value: bytesOf('a') });
    assert.equal(asked[0]?.url, 'http://gateway:1/v1/batch/get');
    assert.equal(asked[0].body, '{"keys":["b","x","y","a"]}');
    assert.equal(asked[0].headers.get('accept'), 'application/vnd.safetensors');
  });

  it('requests a duplicate key once, and the reserved key separately', async () => {
    const keys = ['a', '__metadata__', 'b', 'a', '__metadata__'];
    const answers = [tensors({ a: 'A', b: 'B' }), ok('M')];
    const { client, asked } = scripted(answers);
    assert.deepEqual(
      (await client.getMany(keys)).map(reported),
      keys.map((key) => (key[0] === '_' ? 'M' : key).toUpperCase()),
    );
    assert.equal(asked[0]?.body, '{"keys":["a","b"]}');
    assert.equal(asked[1]?.url, 'http://gateway:1/v1/objects/__metadata__');
    const each = scripted([
      tensors({ a: 'A', b: 'B' }),
      problem('lease-active', 423, false, { 'X-Request-Id': 'r-2' }),
    ]);
    assert.deepEqual((await collect(each.client.getEach(keys))).map(keyed), [
      ['a', 'A'],
      ['b', 'B'],
      ['__metadata__', '(lease-active)'],
    ]);
  });

  it('is retried when it is refused temporarily or breaks off, also in the middle', async () => {
    const file = tensorsAnswer({ a: 'value' });
    const { client, left } = scripted([
      problem('arena-full', 503, true),
      broken,
      ok(file.subarray(0, -1)),
      ok(file),
    ]);
    assert.deepEqual((await client.getMany(['a'])).map(reported), ['value']);
    assert.equal(left.length, 0);
    const always = scripted(Array(4).fill(ok(file.subarray(0, -1))));
    await assert.rejects(always.client.getMany(['a']), { name: 'TypeError' });
  });

  it('rejects a response that does not match its keys', async () => {
    for (const wrong of [
      tensors({ a: 'a' }),
      tensors({ b: 'b', a: 'a' }),
      tensors({ a: 'a', b: 'b', c: 'c' }),
    ]) {
      await assert.rejects(scripted([wrong]).client.getMany(['a', 'b']), SyntaxError);
    }
  });
});
