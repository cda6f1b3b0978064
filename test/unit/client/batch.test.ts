import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GatewayError, type GetResult } from '../../../packages/client/src/index.ts';
import { safetensorsFile, safetensorsOf } from '../../helpers/bodies/safetensors.ts';
import { textOf } from '../../helpers/bodies/text.ts';
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

/** The value, or the kind of problem. */
const reported = (result: GetResult) =>
  result.ok ? textOf(result.value) : `(${result.error.problem})`;
type Keyed = GetResult & { readonly key: string };
const keyed = ({ key, ...result }: Keyed) => [key, reported(result)];

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
    const items = client.getEach(['a', 'x', 'b'])[Symbol.asyncIterator]();
    assert.equal(asked.length, 0);
    void writer.write(file.subarray(0, -3));
    assert.deepEqual(keyed((await items.next()).value as Keyed), ['a', 'one']);
    assert.deepEqual(keyed((await items.next()).value as Keyed), ['x', undefined]);
    void writer.write(file.subarray(-3));
    assert.deepEqual(keyed((await items.next()).value as Keyed), ['b', 'two']);
    void writer.close();
    assert.equal((await items.next()).done, true);
  });

  it('throws where the response breaks off, and is not retried', async () => {
    const { client, writer } = opened();
    const items = client.getEach(['a', 'b'])[Symbol.asyncIterator]();
    void writer.write(tensorsAnswer({ a: 'one', b: 'two' }).subarray(0, -1));
    void writer.close();
    assert.equal((await items.next()).done, false);
    await assert.rejects(items.next(), /1 bytes are missing/);
  });

  it('cancels the response when the loop is left', async () => {
    const { client, writer, isCancelled } = opened();
    void writer.write(tensorsAnswer({ a: 'one', b: 'two' }).subarray(0, -1));
    for await (const item of client.getEach(['a', 'b'])) {
      assert.equal(item.key, 'a');
      break;
    }
    assert.ok(isCancelled());
  });

  it('ends with its signal, including items that were received and not read', async () => {
    const { client, writer, isCancelled } = opened();
    const controller = new AbortController();
    const { signal } = controller;
    const items = client.getEach(['a', 'b'], { signal })[Symbol.asyncIterator]();
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
    const [a, b] = await client.putMany(values, options);
    assert.deepEqual(a, { ok: true, outcome: 'created' });
    assert.ok(b?.ok === false);
    assert.deepEqual([b.error.problem, b.error.status, b.error.retryable], ['no-room', 507, true]);
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
    const results = await client.putMany(
      [
        ['__metadata__', 'first'],
        ['a', 'A'],
        ['__metadata__', 'second'],
        ['a', 'B'],
      ],
      { ifExists: 'keep' },
    );
    assert.deepEqual(
      results.map((result) => (result.ok ? result.outcome : result.error.problem)),
      ['kept', 'created', 'object-exists', 'object-exists'],
    );
    assert.equal(asked[1]?.url, 'http://gateway:1/v1/objects/__metadata__?ifExists=keep');
    assert.equal(asked[1].body, 'first');
  });

  it('is retried only if nothing can have been stored, or if that does not matter', async () => {
    const tries = async (refusal: Answer, ifExists: 'fail' | 'keep' | 'replace') => {
      const { client, asked } = scripted([refusal, answer([done('a')])]);
      await client.putMany([['a', 'x']], { ifExists }).catch(() => undefined);
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
    const b = failure('b');
    const { client, asked } = scripted([
      answer([exists, { ...exists, key: 'b', code: -3102, exists: false }]),
      answer([info, b]),
      answer([removed, b]),
    ]);
    const keys = ['a', 'b'];
    assert.deepEqual(await client.hasMany(keys), [
      { ok: true, exists: true },
      { ok: true, exists: false },
    ]);
    assert.deepEqual(await client.infoMany(keys), [
      { ok: true, info: { size: 1, replicas: [] } },
      { ok: true, info: undefined },
    ]);
    assert.deepEqual(await client.deleteMany(keys), [
      { ok: true, deleted: true },
      { ok: true, deleted: false },
    ]);
    assert.deepEqual(
      asked.map(({ method, url, body }) => [method, url.split('/').at(-1), body]),
      ['exists', 'info', 'remove'].map((name) => ['POST', name, '{"keys":["a","b"]}']),
    );
  });

  it('is retried after a broken connection, unless it removes objects', async () => {
    const asking = scripted([broken, answer([])]);
    await asking.client.hasMany([]);
    const removing = scripted([broken]);
    await assert.rejects(removing.client.deleteMany([]), TypeError);
  });

  it('rejects a response with other items than requested', async () => {
    for (const items of [[], [failure('b')], [failure('a'), failure('b')]]) {
      await assert.rejects(scripted([answer(items)]).client.infoMany(['a']), SyntaxError);
    }
  });

  it('rejects when the whole request is refused', async () => {
    const { client } = scripted([problem('batch-too-large', 413, false)]);
    await assert.rejects(client.hasMany(['a']), /batch-too-large \(413\)/);
  });
});
