import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { answer, failure } from '../../helpers/engine/batch-responses.ts';
import {
  type Answer,
  broken,
  ok,
  problem,
  scripted,
} from '../../helpers/engine/scripted-client.ts';

const bytesOf = (text: string) => new Uint8Array(Buffer.from(text));

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

  it('counts the leading keys that exist with one request, which is retried', async () => {
    const { client, asked } = scripted([broken, ok('{"leading":1,"of":2}')]);
    assert.equal(await client.countLeading(['a', 'b']), 1);
    assert.equal(asked[1]?.url.split('/').at(-1), 'exists');
    assert.equal(asked[1].body, '{"keys":["a","b"],"until":"missing"}');
    for (const body of ['{"items":[],"failed":0}', '{"leading":1,"of":3}', '{"of":2}']) {
      const other = scripted([ok(body)]).client;
      await assert.rejects(other.countLeading(['a', 'b']), SyntaxError);
    }
  });

  it('rejects when the whole request is refused', async () => {
    const { client } = scripted([problem('batch-too-large', 413, false)]);
    await assert.rejects(client.hasMany(['a']), /batch-too-large \(413\)/);
  });
});
