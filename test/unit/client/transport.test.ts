import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Client, GatewayError } from '../../../packages/client/src/index.ts';
import { textOf } from '../../helpers/bodies/text.ts';
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
      assert.equal(error.message, 'no-room (507): why');
      assert.deepEqual(
        { ...error },
        {
          name: 'GatewayError',
          problem: 'no-room',
          status: 507,
          detail: 'why',
          code: 'MMC_ERROR',
          errno: -1,
          retryable: false,
          retryAfterMs: 2000,
          requestId: 'r-1',
          type: '/problems/no-room',
        },
      );
      return true;
    });
  });

  it('understands responses that are not from the gateway', async () => {
    const page: Answer = () => new Response('<h1>Bad gateway</h1>', { status: 502 });
    const { client } = scripted([page, ok('x')]);
    assert.equal(textOf(await client.get('a')), 'x');
    const refused = scripted([() => new Response('', { status: 401, statusText: 'Unauthorized' })]);
    await assert.rejects(refused.client.get('a'), /status-401 \(401\): Unauthorized/);
  });

  it('names a problem that it does not know by its status, and keeps its type', async () => {
    const { client } = scripted([problem('of-tomorrow', 418, false)]);
    await assert.rejects(client.get('a'), {
      problem: 'status-418',
      type: '/problems/of-tomorrow',
    });
  });

  it('does not take every 404 for a missing object', async () => {
    const page: Answer = () => new Response('<h1>Not found</h1>', { status: 404 });
    const elsewhere = problem('no-such-resource', 404, false);
    for (const answer of [page, elsewhere]) {
      for (const call of [
        (client: Client) => client.get('a'),
        (client: Client) => client.getStream('a'),
        (client: Client) => client.info('a'),
        (client: Client) => client.has('a'),
        (client: Client) => client.delete('a'),
        (client: Client) => client.getLayers('a', { sizes: [1] }),
        (client: Client) => client.getMany(['a']),
      ]) {
        await assert.rejects(call(scripted([answer]).client), { status: 404 });
      }
    }
  });

  it('has a value for a missing object', async () => {
    const missing = problem('object-not-found', 404, false);
    const { client } = scripted(Array(5).fill(missing));
    assert.equal(await client.get('a'), undefined);
    assert.equal(await client.getStream('a'), undefined);
    assert.equal(await client.info('a'), undefined);
    assert.equal(await client.getLayers('a', { sizes: [1] }), undefined);
    assert.equal(await client.delete('a'), false);
  });

  it('retries a change only if the gateway itself says so, not a proxy', async () => {
    for (const status of [502, 503]) {
      for (const change of [
        (client: Client) => client.put('a', 'x'),
        (client: Client) => client.putLayers('a', ['x']),
        (client: Client) => client.delete('a'),
        (client: Client) => client.delete('..'),
        (client: Client) => client.putMany([['a', 'x']]),
        (client: Client) => client.deleteMany(['a']),
      ]) {
        const { client, asked } = scripted([() => new Response('<h1>No</h1>', { status })]);
        await assert.rejects(change(client), { problem: `status-${status}`, retryable: false });
        assert.equal(asked.length, 1);
      }
      const read = scripted([() => Response.json({ error: 'no' }, { status }), ok('x')]);
      assert.equal(textOf(await read.client.get('a')), 'x');
      const reported = scripted([problem('engine-network-fault', status, true), ok('')]);
      await reported.client.put('a', 'x');
    }
  });

  it('retries requests that can succeed later, and no others', async () => {
    const busy = problem('arena-full', 503, true);
    const later = scripted([busy, busy, busy, ok('abc')]);
    assert.equal(textOf(await later.client.get('a')), 'abc');
    assert.equal(later.asked.length, 4);
    const never = scripted([busy, busy, busy, busy]);
    await assert.rejects(never.client.get('a'), /arena-full/);
    const once = scripted([problem('invalid-key', 400, false)]);
    await assert.rejects(once.client.get('a'), /invalid-key/);
    const none = scripted([busy], { retries: 0 });
    await assert.rejects(none.client.get('a'), /arena-full/);
  });

  it('retries after a broken connection only if nothing can have been changed', async () => {
    const read = scripted([broken, ok('abc')]);
    await read.client.get('a');
    for (const change of [
      (client: typeof read.client) => client.put('a', 'x'),
      (client: typeof read.client) => client.delete('a'),
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
