import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { runInNewContext } from 'node:vm';
import { type Client, createClient } from '../../../packages/client/src/index.ts';

/** A client whose requests are counted, and that accept everything. */
function countingClient(): { client: Client; requests: () => number } {
  let requests = 0;
  const answer = () => {
    requests += 1;
    return Promise.resolve(new Response('', { status: 201 }));
  };
  return {
    client: createClient({ baseUrl: 'http://gateway.test', fetch: answer }),
    requests: () => requests,
  };
}

const calls: Record<string, (use: Client) => unknown> = {
  'key must be a string, not undefined': (use) => use.get(undefined as never),
  'key must have 1 to 255 bytes of UTF-8': (use) => use.get(''),
  'key must have 1 to 255 bytes': (use) => use.getStream('é'.repeat(128)),
  'key must have 1 to 255 bytes of UTF-8 and no half of a surrogate pair': (use) =>
    use.info('a\ud800'),
  'value must be a Uint8Array, an ArrayBuffer, a Blob, a ReadableStream or a string, not an object':
    (use) => use.put('k', { x: 1 } as never),
  'value must be a Uint8Array, an ArrayBuffer, a Blob, a ReadableStream or a string, not undefined':
    (use) => use.put('k', undefined as never),
  'options.ifExist is unknown; the options are replicas, prefer, ifExists, contentDigest, signal': (
    use,
  ) => use.put('k', 'v', { ifExist: 'keep' } as never),
  'options must be an object, not a string': (use) => use.has('k', 'now' as never),
  'options.force is unknown; the options are signal': (use) =>
    use.delete('k', { force: true } as never),
  'options.size is unknown; the options are sizes, layout, select, signal': (use) =>
    use.getLayers('k', { size: [1] } as never),
  'layers must be an array, not an instance of Uint8Array': (use) =>
    use.putLayers('k', new Uint8Array(1) as never),
  'layers[1] must be a Uint8Array, an ArrayBuffer, a Blob or a string, not a number': (use) =>
    use.putLayers('k', ['a', 1 as never]),
  'keys must be an array, not a string': (use) => use.getMany('abc' as never),
  'keys[1] must be a string, not a number': (use) => use.hasMany(['a', 1 as never]),
  'keys[2] must be a string, not null': (use) => use.countLeading(['a', 'b', null as never]),
  'keys[0] must have 1 to 255 bytes': (use) => use.deleteMany(['']),
  'entries must be an iterable of [key, value], not an object': (use) =>
    use.putMany({ k: 'v' } as never),
  'entries[0] must be an array of key and value, not a string': (use) =>
    use.putMany(['kv'] as never),
  'entries[1][1] must be a Uint8Array, an ArrayBuffer, a Blob or a string, not null': (use) =>
    use.putMany([
      ['k', 'v'],
      ['l', null as never],
    ]),
};

describe('a client', () => {
  for (const [message, call] of Object.entries(calls)) {
    it(`sends no request, because ${message}`, async () => {
      const { client, requests } = countingClient();
      await assert.rejects(
        async () => await call(client),
        (error: unknown) => {
          assert.ok(error instanceof TypeError, String(error));
          assert.ok(error.message.startsWith(message), error.message);
          return true;
        },
      );
      assert.equal(requests(), 0);
    });
  }

  it('refuses the keys of getEach before the first read', () => {
    const { client } = countingClient();
    assert.throws(() => client.getEach([7 as never]), /^TypeError: keys\[0\] must be a string/);
  });

  it('refuses unknown options of createClient', () => {
    const options = { baseUrl: 'http://gateway.test', retry: 1 };
    assert.throws(
      () => createClient(options),
      /options\.retry is unknown; the options are baseUrl, token, headers, retries, retryDelayMs, fetch/,
    );
  });

  it('needs options with a base URL', () => {
    for (const options of [undefined, {}, { baseUrl: new URL('http://gateway.test') }]) {
      assert.throws(
        () => createClient(options as never),
        /^TypeError: options(\.baseUrl)? must be (an object|a string), not /,
      );
    }
  });

  it('accepts keys of 255 bytes, every form of bytes, and options that are undefined', async () => {
    const { client, requests } = countingClient();
    const other = runInNewContext('new ArrayBuffer(1)') as ArrayBuffer;
    const values = [other, '', 'text', new Uint8Array(1), new ArrayBuffer(1), new Float32Array(1)];
    const others = [new Blob(['a']), new Response('stream').body as ReadableStream<Uint8Array>];
    for (const value of [...values, ...others]) {
      await client.put('é'.repeat(127), value as Uint8Array, { signal: undefined });
      await client.put('k'.repeat(255), 'v', undefined);
    }
    assert.equal(requests(), 2 * (values.length + others.length));
  });
});
