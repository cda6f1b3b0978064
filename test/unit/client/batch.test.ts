import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { GetItem } from '../../../src/client/index.ts';
import { safetensorsFile, safetensorsOf } from '../../helpers/bodies/safetensors.ts';
import {
  type Answer,
  broken,
  ok,
  problem,
  scripted,
} from '../../helpers/engine/scripted-client.ts';

const bytesOf = (text: string) => new Uint8Array(Buffer.from(text));

/** A failed item in the form of the gateway. */
const failure = (key: string, slug = 'object-not-found', status = 404, retryable = false) => ({
  ...{ key, status, code: -3102, name: 'MMC_UNMATCHED_KEY' },
  ...{ type: `/problems/${slug}`, detail: 'why', retryable },
});

const answer = (items: readonly object[]): Answer =>
  ok(JSON.stringify({ items, failed: 0 }), { 'X-Request-Id': 'r-1' });

/** A safetensors response with these values and failures. */
function tensorsAnswer(values: Readonly<Record<string, string>>, failures: object[] = []): Buffer {
  const bytes = Object.entries(values).map(([name, text]) => [name, Buffer.from(text)] as const);
  const plain = safetensorsOf(bytes);
  const start = 8 + Number(plain.readBigUInt64LE());
  const header = JSON.parse(plain.toString('utf8', 8, start)) as object;
  const metadata = { failures: JSON.stringify(failures), failed: String(failures.length) };
  return safetensorsFile({ __metadata__: metadata, ...header }, plain.subarray(start));
}

const tensors = (...given: Parameters<typeof tensorsAnswer>): Answer =>
  ok(tensorsAnswer(...given), { 'X-Request-Id': 'r-1' });

/** Key and value, or the kind of problem. */
const reported = (items: readonly GetItem[]) =>
  items.map((item) => [
    item.key,
    item.problem === undefined ? Buffer.from(item.value).toString() : item.problem.slug,
  ]);

async function collect(items: AsyncIterable<GetItem>): Promise<GetItem[]> {
  const collected: GetItem[] = [];
  for await (const item of items) collected.push(item);
  return collected;
}

describe('a batch get of the client', () => {
  it('returns objects and problems in the order of the request', async () => {
    const { client, asked } = scripted([tensors({ b: 'bb', a: 'a' }, [failure('x')])]);
    const items = await client.batch.get(['b', 'x', 'a']);
    assert.deepEqual(items, [
      { key: 'b', status: 200, code: 0, size: 2, value: bytesOf('bb') },
      {
        ...{ key: 'x', status: 404, code: -3102 },
        problem: {
          ...{ slug: 'object-not-found', status: 404, detail: 'why', code: -3102 },
          ...{ name: 'MMC_UNMATCHED_KEY', retryable: false },
          ...{ retryAfterMs: undefined, requestId: 'r-1' },
        },
      },
      { key: 'a', status: 200, code: 0, size: 1, value: bytesOf('a') },
    ]);
    assert.equal(asked[0]?.url, 'http://gateway:1/v1/batch/get');
    assert.equal(asked[0].body, '{"keys":["b","x","a"]}');
    assert.equal(asked[0].headers.get('accept'), 'application/vnd.safetensors');
  });

  it('requests a duplicate key once, and the reserved key separately', async () => {
    const keys = ['a', '__metadata__', 'b', 'a', '__metadata__'];
    const answers = [tensors({ a: 'A', b: 'B' }), ok('M')];
    const { client, asked } = scripted(answers);
    assert.deepEqual(
      reported(await client.batch.get(keys)),
      keys.map((key) => [key, (key[0] === '_' ? 'M' : key).toUpperCase()]),
    );
    assert.equal(asked[0]?.body, '{"keys":["a","b"]}');
    assert.equal(asked[1]?.url, 'http://gateway:1/v1/objects/__metadata__');
    const each = scripted([
      tensors({ a: 'A', b: 'B' }),
      problem('object-not-found', 404, false, { 'X-Request-Id': 'r-2' }),
    ]);
    assert.deepEqual(reported(await collect(each.client.batch.getEach(keys))), [
      ['a', 'A'],
      ['b', 'B'],
      ['__metadata__', 'object-not-found'],
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
    assert.deepEqual(reported(await client.batch.get(['a'])), [['a', 'value']]);
    assert.equal(left.length, 0);
    const always = scripted(Array(4).fill(ok(file.subarray(0, -1))));
    await assert.rejects(always.client.batch.get(['a']), { name: 'TypeError' });
  });

  it('rejects a response that does not match its keys', async () => {
    for (const wrong of [
      tensors({ a: 'a' }),
      tensors({ b: 'b', a: 'a' }),
      tensors({ a: 'a', b: 'b', c: 'c' }),
    ]) {
      await assert.rejects(scripted([wrong]).client.batch.get(['a', 'b']), SyntaxError);
    }
  });
});

describe('a batch get that is read one item at a time', () => {
  /** A response whose bytes the test sends, and which records whether it was cancelled. */
  function opened() {
    let cancelled = false;
    const pipe = new TransformStream<Uint8Array, Uint8Array>();
    const writer = pipe.writable.getWriter();
    writer.closed.catch(() => {
      cancelled = true;
    });
    const { client, asked } = scripted([() => new Response(pipe.readable)]);
    return { client, asked, writer, isCancelled: () => cancelled };
  }

  it('returns each item before the next one arrives', async () => {
    const { client, asked, writer } = opened();
    const file = tensorsAnswer({ a: 'one', b: 'two' }, [failure('x')]);
    const items = client.batch.getEach(['a', 'x', 'b'])[Symbol.asyncIterator]();
    assert.equal(asked.length, 0);
    void writer.write(file.subarray(0, -3));
    assert.deepEqual(reported([(await items.next()).value as GetItem]), [['a', 'one']]);
    assert.deepEqual(reported([(await items.next()).value as GetItem]), [
      ['x', 'object-not-found'],
    ]);
    void writer.write(file.subarray(-3));
    assert.deepEqual(reported([(await items.next()).value as GetItem]), [['b', 'two']]);
    void writer.close();
    assert.equal((await items.next()).done, true);
  });

  it('throws where the response breaks off, and is not retried', async () => {
    const { client, writer } = opened();
    const items = client.batch.getEach(['a', 'b'])[Symbol.asyncIterator]();
    void writer.write(tensorsAnswer({ a: 'one', b: 'two' }).subarray(0, -1));
    void writer.close();
    assert.equal((await items.next()).done, false);
    await assert.rejects(items.next(), /1 bytes are missing/);
  });

  it('cancels the response when the loop is left', async () => {
    const { client, writer, isCancelled } = opened();
    void writer.write(tensorsAnswer({ a: 'one', b: 'two' }).subarray(0, -1));
    for await (const item of client.batch.getEach(['a', 'b'])) {
      assert.equal(item.key, 'a');
      break;
    }
    assert.ok(isCancelled());
  });

  it('ends with its signal, including items that were received and not read', async () => {
    const { client, writer, isCancelled } = opened();
    const controller = new AbortController();
    const { signal } = controller;
    const items = client.batch.getEach(['a', 'b'], { signal })[Symbol.asyncIterator]();
    void writer.write(tensorsAnswer({ a: 'one', b: 'two' }));
    await items.next();
    controller.abort(new Error('enough'));
    await assert.rejects(items.next(), /enough/);
    assert.ok(isCancelled());
  });
});

describe('a batch put of the client', () => {
  const done = (key: string) => ({ key, status: 201, code: 0, outcome: 'created' });

  it('sends one safetensors file with its options in the query', async () => {
    const { client, asked } = scripted([answer([done('a'), failure('b', 'no-room', 507, true)])]);
    const values = new Map<string, Uint8Array | string>([
      ['a', bytesOf('one')],
      ['b', 'two'],
    ]);
    const options = { replicas: 2, prefer: [0, 3], ifExists: 'keep' } as const;
    const [a, b] = await client.batch.put(values, options);
    assert.deepEqual(a, done('a'));
    assert.deepEqual([b?.key, b?.status, b?.code, b?.problem?.retryable], ['b', 507, -3102, true]);
    const [{ url, headers, body } = assert.fail()] = asked;
    assert.equal(url, 'http://gateway:1/v1/batch/put?replicas=2&prefer=0%2C3&ifExists=keep');
    assert.equal(headers.get('content-type'), 'application/vnd.safetensors');
    const file = Buffer.from(await (body as Blob).arrayBuffer());
    const header = file.toString('utf8', 8, 8 + Number(file.readBigUInt64LE())).trim();
    assert.deepEqual(Object.keys(JSON.parse(header) as object), ['a', 'b']);
    assert.equal(file.toString('utf8', 8 + Number(file.readBigUInt64LE())), 'onetwo');
  });

  it('sends only the first value of a key, and the reserved key separately', async () => {
    const kept = { 'Memcache-Outcome': 'kept' };
    const { client, asked } = scripted([answer([done('a')]), ok('', kept)]);
    const items = await client.batch.put(
      [
        ['__metadata__', 'first'],
        ['a', 'A'],
        ['__metadata__', 'second'],
        ['a', 'B'],
      ],
      { ifExists: 'keep' },
    );
    assert.deepEqual(
      items.map(({ key, status, code, problem }) => [key, status, code, problem?.slug]),
      [
        ['__metadata__', 200, -3006, undefined],
        ['a', 201, 0, undefined],
        ['__metadata__', 409, null, 'object-exists'],
        ['a', 409, null, 'object-exists'],
      ],
    );
    assert.equal(asked[1]?.url, 'http://gateway:1/v1/objects/__metadata__?ifExists=keep');
    assert.equal(asked[1].body, 'first');
  });

  it('is retried only if nothing can have been stored, or if that does not matter', async () => {
    const tries = async (refusal: Answer, ifExists: 'fail' | 'keep' | 'replace') => {
      const { client, asked } = scripted([refusal, answer([done('a')])]);
      await client.batch.put([['a', 'x']], { ifExists }).catch(() => undefined);
      return asked.length;
    };
    const full = problem('arena-full', 503, true);
    const slow = problem('request-timeout', 408, true);
    assert.equal(await tries(full, 'fail'), 2);
    assert.equal(await tries(slow, 'fail'), 1);
    assert.equal(await tries(slow, 'keep'), 2);
    assert.equal(await tries(slow, 'replace'), 2);
    assert.equal(await tries(broken, 'keep'), 1);
  });
});

describe('a batch of keys', () => {
  it("returns the gateway's result for each key", async () => {
    const info = { key: 'a', status: 200, code: 0, size: 1, replicas: [] };
    const exists = { key: 'a', status: 200, code: 0, exists: true };
    const removed = { key: 'a', status: 204, code: 0 };
    const { client, asked } = scripted([answer([exists]), answer([info]), answer([removed])]);
    assert.deepEqual(await client.batch.exists(['a']), [exists]);
    assert.deepEqual(await client.batch.info(['a']), [info]);
    assert.deepEqual(await client.batch.remove(['a']), [removed]);
    assert.deepEqual(
      asked.map(({ method, url, body }) => [method, url.split('/').at(-1), body]),
      ['exists', 'info', 'remove'].map((name) => ['POST', name, '{"keys":["a"]}']),
    );
  });

  it('is retried after a broken connection, unless it removes objects', async () => {
    const asking = scripted([broken, answer([])]);
    await asking.client.batch.exists([]);
    const removing = scripted([broken]);
    await assert.rejects(removing.client.batch.remove([]), TypeError);
  });

  it('rejects a response with other items than requested', async () => {
    for (const items of [[], [failure('b')], [failure('a'), failure('b')]]) {
      await assert.rejects(scripted([answer(items)]).client.batch.info(['a']), SyntaxError);
    }
  });

  it('rejects when the whole request is refused', async () => {
    const { client } = scripted([problem('batch-too-large', 413, false)]);
    await assert.rejects(client.batch.exists(['a']), /batch-too-large \(413\)/);
  });
});
