import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Client, GatewayError } from '../../../src/client/index.ts';
import {
  type Answer,
  type Asked,
  broken,
  ok,
  problem,
  scripted,
} from '../../helpers/engine/scripted-client.ts';

describe('the client', () => {
  it('reports a problem by its kind, with all members', async () => {
    const { client } = scripted([
      problem('no-room', 507, false, { 'Retry-After': '2', 'X-Request-Id': 'r-1' }),
    ]);
    await assert.rejects(client.put('a', 'x'), (error) => {
      assert.ok(error instanceof GatewayError);
      assert.equal(error.slug, 'no-room');
      assert.equal(error.status, 507);
      assert.equal(error.retryable, false);
      assert.equal(error.message, 'no-room (507): why');
      assert.deepEqual(error.problem, {
        slug: 'no-room',
        status: 507,
        detail: 'why',
        code: -1,
        name: 'MMC_ERROR',
        retryable: false,
        retryAfterMs: 2000,
        requestId: 'r-1',
      });
      return true;
    });
  });

  it('understands responses that are not from the gateway', async () => {
    const page: Answer = () => new Response('<h1>Bad gateway</h1>', { status: 502 });
    const { client } = scripted([page, ok('x')]);
    assert.equal((await client.get('a')).length, 1);
    const refused = scripted([() => new Response('', { status: 401, statusText: 'Unauthorized' })]);
    await assert.rejects(refused.client.get('a'), /status-401 \(401\): Unauthorized/);
  });

  it('retries a change only if the gateway itself says so, not a proxy', async () => {
    for (const status of [502, 503]) {
      for (const change of [
        (client: Client) => client.put('a', 'x'),
        (client: Client) => client.putLayers('a', ['x']),
        (client: Client) => client.remove('a'),
        (client: Client) => client.remove('..'),
        (client: Client) => client.batch.put([['a', 'x']]),
        (client: Client) => client.batch.remove(['a']),
      ]) {
        const { client, asked } = scripted([() => new Response('<h1>No</h1>', { status })]);
        await assert.rejects(change(client), { slug: `status-${status}`, retryable: false });
        assert.equal(asked.length, 1);
      }
      const read = scripted([() => Response.json({ error: 'no' }, { status }), ok('x')]);
      assert.equal((await read.client.get('a')).length, 1);
      const reported = scripted([problem('engine-network-fault', status, true), ok('')]);
      await reported.client.put('a', 'x');
    }
  });

  it('retries requests that can succeed later, and no others', async () => {
    const busy = problem('arena-full', 503, true);
    const later = scripted([busy, busy, busy, ok('abc')]);
    assert.equal(Buffer.from(await later.client.get('a')).toString(), 'abc');
    assert.equal(later.asked.length, 4);
    const never = scripted([busy, busy, busy, busy]);
    await assert.rejects(never.client.get('a'), /arena-full/);
    const once = scripted([problem('object-not-found', 404, false)]);
    await assert.rejects(once.client.get('a'), /object-not-found/);
    const none = scripted([busy], { retries: 0 });
    await assert.rejects(none.client.get('a'), /arena-full/);
  });

  it('retries after a broken connection only if nothing can have been changed', async () => {
    const read = scripted([broken, ok('abc')]);
    await read.client.get('a');
    for (const change of [
      (client: typeof read.client) => client.put('a', 'x'),
      (client: typeof read.client) => client.remove('a'),
    ]) {
      const { client, asked } = scripted([broken]);
      await assert.rejects(change(client), TypeError);
      assert.equal(asked.length, 1);
    }
    const put = scripted([problem('arena-full', 503, true), ok('')]);
    await put.client.put('a', 'x');
    assert.deepEqual(
      put.asked.map(({ body }) => body),
      ['x', 'x'],
    );
  });

  it('never sends a stream twice', async () => {
    const { client, asked } = scripted([problem('arena-full', 503, true)]);
    const stream = new Blob(['x']).stream();
    await assert.rejects(client.put('a', stream), /arena-full/);
    assert.equal(asked.length, 1);
  });

  it('ends with its signal, also while it waits before a retry', async () => {
    const controller = new AbortController();
    const { client, asked } = scripted([
      () => {
        setImmediate(() => controller.abort(new Error('enough')));
        return problem('arena-full', 503, true, { 'Retry-After': '60' })();
      },
    ]);
    await assert.rejects(client.get('a', { signal: controller.signal }), /enough/);
    assert.equal(asked.length, 1);
    const aborted = scripted([], {});
    await assert.rejects(
      aborted.client.get('a', { signal: AbortSignal.abort(new Error('before')) }),
      /before/,
    );
  });

  it('puts key, placement and headers into the right places of the request', async () => {
    const { client, asked } = scripted([ok(''), ok('x'), ok('x')], {
      headers: { Authorization: 'Bearer t' },
    });
    await client.put('kv/a b?', 'x', {
      replicas: 2,
      prefer: [3, 4],
      ifExists: 'keep',
      contentDigest: 'sha-256=:x:',
    });
    await client.get('a/../b', { range: { start: 5, end: 9 } });
    await client.get('a', { range: { start: 5 } });
    const [put, get, open] = asked as [Asked, Asked, Asked];
    assert.equal(put.method, 'PUT');
    assert.equal(
      put.url,
      'http://gateway:1/v1/objects/kv/a%20b%3F?replicas=2&prefer=3%2C4&ifExists=keep',
    );
    assert.equal(put.headers.get('authorization'), 'Bearer t');
    assert.equal(put.headers.get('content-digest'), 'sha-256=:x:');
    assert.equal(get.url, 'http://gateway:1/v1/objects/a%2F..%2Fb');
    assert.equal(get.headers.get('range'), 'bytes=5-8');
    assert.equal(open.headers.get('range'), 'bytes=5-');
    await assert.rejects(client.get('a', { range: { start: 5, end: 5 } }), RangeError);
  });
});
