/** Server-Timing, for requests with `Memcache-Timing: on`. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { createInjection, injectingLibrary, underRules } from '../../helpers/engine/injecting.ts';
import { connectRaw, requestHead } from '../../helpers/http/raw-connection.ts';
import { type RequestOptions, requestTo } from '../../helpers/http/requests.ts';
import { type ReadyGateway, startGateway } from '../../helpers/process/gateway.ts';
import { arenaWaiters, metric, untilIdle, usedBlocks } from '../../helpers/process/metrics.ts';
import { until } from '../../helpers/process/until.ts';

const mebibyte = 1 << 20;
const injection = createInjection();
let running: ReadyGateway | undefined;
const gateway = () => running ?? assert.fail('not started');
const { request, store, newKey } = requestTo(gateway);
before(async () => {
  const memory = ['--arena-bytes', '32MiB', '--max-object-bytes', '8MiB'];
  const waits = ['--arena-wait-ms', '60000', '--min-rate-bytes', '0', '--deadline-ms', '1000'];
  const engine = ['--engine', await injectingLibrary(), '--call-slots', '4'];
  const args = [...memory, ...waits, ...engine, '--allow-origin', 'https://console.example'];
  running = await startGateway({ args, env: injection.env });
});
after(async () => {
  await running?.kill();
  injection.dispose();
});

type Times = Record<'arena' | 'queue' | 'engine' | 'total', number>;

function timesIn(value: unknown): Times {
  assert.equal(typeof value, 'string');
  const entries = String(value)
    .split(', ')
    .map((entry) => entry.split(';dur='));
  assert.deepEqual(
    entries.map(([name]) => name),
    ['arena', 'queue', 'engine', 'total'],
  );
  const times = Object.fromEntries(entries.map(([name, ms]) => [name, Number(ms)])) as Times;
  assert.ok(Object.values(times).every((ms) => ms >= 0));
  return times;
}

const on = { 'Memcache-Timing': 'on' };

async function timed(
  method: string,
  what: string,
  options: RequestOptions = {},
  resource: Parameters<typeof request>[3] = 'objects',
): Promise<Times & { status: number }> {
  const headers = { ...options.headers, ...on };
  const { status, headers: received } = await request(
    method,
    what,
    { ...options, headers },
    resource,
  );
  return { status, ...timesIn(received['server-timing']) };
}

const slowly = (on: 'get' | 'put' | 'batch_get' | '*') => [{ on, delayOutsideUs: 30_000 }];

describe('Server-Timing', () => {
  it('has the time of the engine calls of each operation', async () => {
    const key = await store('12345678');
    const body = JSON.stringify({ keys: [key] });
    const json = { headers: { 'Content-Type': 'application/json' }, body };
    const value = Buffer.from('hi').toString('base64');
    const items = { ...json, body: JSON.stringify({ items: [{ key: newKey('b'), value }] }) };
    await underRules(injection, gateway().url, slowly('*'), async () => {
      for (const [method, what, options, resource, status] of [
        ['GET', key, {}, 'objects', 200],
        ['GET', key, { headers: { Range: 'bytes=0-0' } }, 'objects', 206],
        ['HEAD', key, {}, 'objects', 200],
        ['PUT', newKey('put'), { body: 'x' }, 'objects', 201],
        ['PUT', key, { body: 'x' }, 'objects', 409],
        ['GET', newKey('missing'), {}, 'objects', 404],
        ['GET', key, {}, 'info', 200],
        ['GET', `${key}?sizes=4x2`, {}, 'layers', 200],
        ['GET', `${key}?sizes=5x2`, {}, 'layers', 422],
        ['POST', '', items, '/v1/batch/put', 200],
        ['POST', '', json, '/v1/batch/get', 200],
        ['POST', '', json, '/v1/batch/exists', 200],
        ['POST', '', json, '/v1/batch/info', 200],
        ['POST', '', json, '/v1/batch/remove', 200],
      ] as const) {
        const times = await timed(method, what, options, resource);
        const label = `${method} ${resource} ${what}: ${JSON.stringify(times)}`;
        assert.equal(times.status, status, label);
        assert.ok(times.engine >= 25 && times.total >= times.engine, label);
        assert.equal(times.arena, 0, label);
      }
    });
  });

  it('has the wait for an engine call, while other requests have all of them', async () => {
    const keys = await Promise.all(Array.from({ length: 30 }, (_, i) => store(`value ${i}`)));
    await underRules(injection, gateway().url, slowly('*'), async () => {
      const all = await Promise.all(keys.map((key) => timed('GET', key)));
      assert.ok(
        all.some(({ queue }) => queue >= 20),
        JSON.stringify(all),
      );
      for (const { queue, engine, total } of all) assert.ok(queue + engine <= total + 0.01);
    });
  });

  it('has the wait for memory', async () => {
    const holders = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const connection = await connectRaw(gateway().port);
        const headers = { 'Content-Length': 7.5 * mebibyte };
        connection.send(requestHead('PUT', `/v1/objects/${randomUUID()}`, headers));
        return connection;
      }),
    );
    await until(async () => (await metric(gateway().url, usedBlocks)) === 4);
    const sinceMs = performance.now();
    const waiting = timed('PUT', newKey('waits'), { body: Buffer.alloc(7 * mebibyte) });
    await until(async () => (await metric(gateway().url, arenaWaiters)) === 1);
    const waitedMs = performance.now();
    await new Promise((resolve) => setTimeout(resolve, 20));
    for (const { socket } of holders) socket.destroy();
    const { status, arena, total } = await waiting;
    assert.equal(status, 201);
    assert.ok(arena >= 15 && arena <= total, `${arena} of ${total}`);
    assert.ok(total <= performance.now() - sinceMs && waitedMs > sinceMs);
    await untilIdle(gateway().url);
  });

  it('is also on problems before the store is asked, and on pages', async () => {
    for (const [method, path, status] of [
      ['GET', '/v1/objects/%ff', 400],
      ['POST', '/v1/objects/a', 405],
      ['GET', '/v1/nothing', 404],
      ['GET', '/livez', 200],
    ] as const) {
      const times = await timed(method, '', {}, path);
      assert.equal(times.status, status);
      assert.deepEqual([times.arena, times.queue, times.engine], [0, 0, 0]);
    }
    const large = { 'Content-Length': String(9 * mebibyte), ...on };
    const connection = await connectRaw(gateway().port);
    connection.send(requestHead('PUT', '/v1/objects/large', large));
    const { status, headers } = await connection.next({ method: 'PUT', path: '/v1/objects/large' });
    assert.equal(status, 413);
    timesIn(headers['server-timing']);
    connection.socket.destroy();
  });

  it('is absent without the header, and with another value', async () => {
    const key = await store('a');
    for (const value of ['off', 'On', '1', '']) {
      const { headers } = await request('GET', key, { headers: { 'Memcache-Timing': value } });
      assert.equal(headers['server-timing'], undefined, value);
    }
    assert.equal((await request('GET', key)).headers['server-timing'], undefined);
  });

  it('may be read and asked for by pages of allowed origins', async () => {
    const origin = { Origin: 'https://console.example' };
    const key = await store('a');
    const { headers } = await request('GET', key, { headers: { ...origin, ...on } });
    timesIn(headers['server-timing']);
    assert.match(String(headers['access-control-expose-headers']), /Server-Timing/);
    const preflight = await fetch(`${gateway().url}/v1/objects/a`, {
      method: 'OPTIONS',
      headers: { ...origin, 'Access-Control-Request-Method': 'GET' },
    });
    assert.match(String(preflight.headers.get('access-control-allow-headers')), /Memcache-Timing/);
  });
});
