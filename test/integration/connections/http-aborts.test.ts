import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';
import { abortAfter, ways } from '../../helpers/http/aborts.ts';
import { isEstablished, waitingBytes } from '../../helpers/http/kernel-connections.ts';
import { withBothLanes, withGateway } from '../../helpers/http/lanes.ts';
import { chunked, connectRaw, requestHead } from '../../helpers/http/raw-connection.ts';
import { requestTo } from '../../helpers/http/requests.ts';
import { startGateway } from '../../helpers/process/gateway.ts';
import {
  arenaWaiters,
  metric,
  requestsInFlight,
  untilIdle,
  usedBlocks,
  usedBytes,
} from '../../helpers/process/metrics.ts';
import { until } from '../../helpers/process/until.ts';

const mebibyte = 1 << 20;
const slow = ['--idle-timeout-ms', '600', '--arena-bytes', '128MiB', '--pool-bytes', '256MiB'];

const below = (limit: number): number => Math.floor(Math.random() * limit);

const arenaWaitMs = 4000;
const tight = [
  ...['--arena-bytes', '32MiB', '--max-object-bytes', '8MiB'],
  ...['--arena-wait-ms', String(arenaWaitMs)],
];

withBothLanes({ args: tight }, (gateway) => {
  const { request, problem, store, value } = requestTo(gateway);

  describe('an upload that is cut off at any byte', () => {
    it('stores nothing and leaves no block allocated', async () => {
      const keys: string[] = [];
      const sizes = [1, 100, 5_000, 70_000, 200_000];
      const upload = async (i: number) => {
        const key = randomUUID();
        const body = randomBytes(sizes[i % sizes.length] ?? 1);
        const path = `/v1/objects/${key}`;
        const sized = i % 2 === 0;
        const headers = sized
          ? { 'Content-Length': body.length }
          : { 'Transfer-Encoding': 'chunked' };
        const half = body.length >> 1;
        const chunks = half === 0 ? [body] : [body.subarray(0, half), body.subarray(half)];
        const rest = sized ? body : chunked(...chunks);
        const whole = Buffer.concat([Buffer.from(requestHead('PUT', path, headers)), rest]);
        keys.push(key);
        await abortAfter(
          gateway().port,
          whole.subarray(0, below(whole.length)),
          ways[i % 3] ?? 'end',
        );
      };
      // Six uploads run at a time.
      const all = Array.from({ length: 120 }, (_, i) => i);
      await Promise.all(
        [0, 1, 2, 3, 4, 5].map(async (lane) => {
          for (const i of all.filter((n) => n % 6 === lane)) await upload(i);
        }),
      );
      await untilIdle(gateway().url);
      for (const key of keys) assert.equal((await request('HEAD', key)).status, 404);
    });

    it('leaves no block allocated when it waits for its 100', async () => {
      for (const how of ways) {
        const head = requestHead('PUT', `/v1/objects/${randomUUID()}`, {
          'Content-Length': mebibyte,
          Expect: '100-continue',
        });
        await abortAfter(gateway().port, head, how);
      }
      await untilIdle(gateway().url);
    });

    it('leaves no block allocated when it waits for room, and later requests are served', async () => {
      const holders = await fillArena();
      const head = (path: string) =>
        requestHead('PUT', path, { 'Content-Length': 7 * mebibyte, Expect: '100-continue' });
      const leaving = await connectRaw(gateway().port);
      leaving.send(head(`/v1/objects/${randomUUID()}`));
      await until(async () => (await metric(gateway().url, arenaWaiters)) === 1);
      const staying = await connectRaw(gateway().port);
      const path = `/v1/objects/${randomUUID()}`;
      staying.send(head(path));
      await until(async () => (await metric(gateway().url, arenaWaiters)) === 2);
      assert.ok(staying.silent, 'asked for its body before there was room');
      leaving.destroy();
      holders[0]?.destroy();
      assert.equal((await staying.next()).status, 100);
      staying.send(Buffer.alloc(7 * mebibyte));
      assert.equal((await staying.next({ method: 'PUT', path })).status, 201);
      for (const holder of [...holders, staying]) holder.destroy();
      await untilIdle(gateway().url);
    });
  });

  /** Four uploads in progress hold 30 of 32 MiB; later requests wait in order. */
  async function fillArena() {
    const holders = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const connection = await connectRaw(gateway().port);
        const headers = { 'Content-Length': 7.5 * mebibyte };
        connection.send(requestHead('PUT', `/v1/objects/${randomUUID()}`, headers));
        return connection;
      }),
    );
    await until(async () => (await metric(gateway().url, usedBlocks)) === 4);
    return holders;
  }

  describe('a client that disconnects while it waits for room', () => {
    for (const method of ['GET', 'PUT']) {
      it(`loses its place, so that others are served at once (${method})`, async () => {
        const large = await store(Buffer.alloc(7 * mebibyte));
        const small = await store(randomBytes(1 * mebibyte));
        const holders = await fillArena();
        // Over TCP a client that ends its side may wait for its response, unless its body is incomplete.
        for (const how of method === 'GET' ? (['reset'] as const) : ways) {
          const path = `/v1/objects/${method === 'GET' ? large : randomUUID()}`;
          const headers = method === 'GET' ? {} : { 'Content-Length': 7 * mebibyte };
          const { socket, send } = await connectRaw(gateway().port);
          socket.on('data', () => undefined);
          const since = performance.now();
          send(requestHead(method, path, headers));
          await until(async () => (await metric(gateway().url, arenaWaiters)) === 1);
          if (how === 'end') socket.end();
          else if (how === 'reset') socket.resetAndDestroy();
          else socket.destroy();
          assert.equal((await value(small)).length, mebibyte);
          assert.ok(performance.now() - since < arenaWaitMs, 'its time was waited for');
        }
        for (const holder of holders) holder.destroy();
        await untilIdle(gateway().url);
      });
    }

    it('loses its place though the kernel holds unread bytes of its body', async () => {
      const small = await store(randomBytes(1 * mebibyte));
      const holders = await fillArena();
      for (const bytes of [100_000, 3 * mebibyte]) {
        const { socket, send } = await connectRaw(gateway().port);
        const since = performance.now();
        send(requestHead('PUT', `/v1/objects/${randomUUID()}`, { 'Content-Length': 7 * mebibyte }));
        send(Buffer.alloc(bytes));
        const local = socket.localPort as number;
        await until(async () => (await metric(gateway().url, arenaWaiters)) === 1);
        await until(async () => (await waitingBytes(gateway().port, local)) > 0);
        socket.resetAndDestroy();
        assert.equal((await value(small)).length, mebibyte);
        assert.ok(performance.now() - since < arenaWaitMs, 'its time was waited for');
      }
      for (const holder of holders) holder.destroy();
      await untilIdle(gateway().url);
    });

    it('is served when it has only ended its side', async () => {
      const large = await store(Buffer.alloc(7 * mebibyte));
      const holders = await fillArena();
      const reader = await connectRaw(gateway().port);
      const path = `/v1/objects/${large}`;
      reader.send(requestHead('GET', path));
      reader.socket.end();
      await until(async () => (await metric(gateway().url, arenaWaiters)) === 1);
      const writer = await connectRaw(gateway().port);
      writer.send(requestHead('PUT', path, { 'Content-Length': 7 * mebibyte }));
      writer.socket.end();
      // An end inside a body is a disconnect, so it gets no response.
      assert.equal((await writer.closed()).rest.length, 0);
      holders[0]?.destroy();
      assert.equal((await reader.next({ path })).body.length, 7 * mebibyte);
      for (const connection of [...holders, reader, writer]) connection.destroy();
      await untilIdle(gateway().url);
    });
  });

  describe('a full arena', () => {
    it('causes 503 after --arena-wait-ms for a PUT that would fit and for a GET', async () => {
      const large = await store(Buffer.alloc(4 * mebibyte));
      const small = await store('small');
      const holders = await fillArena();
      const body = Buffer.alloc(4 * mebibyte);
      const refused = [
        problem('PUT', randomUUID(), 503, 'arena-full', { body }),
        problem('GET', large, 503, 'arena-full'),
      ];
      for (const { headers } of await Promise.all(refused)) {
        assert.notEqual(headers['retry-after'], undefined);
      }
      assert.equal((await value(small)).toString(), 'small', 'what fits is served again');
      assert.equal((await request('HEAD', large)).status, 200);
      for (const holder of holders) holder.destroy();
      await untilIdle(gateway().url);
    });

    it('causes 503 at once for a body of unknown length that cannot grow', async () => {
      const holders = await fillArena();
      const connection = await connectRaw(gateway().port);
      const path = `/v1/objects/${randomUUID()}`;
      connection.send(requestHead('PUT', path, { 'Transfer-Encoding': 'chunked' }));
      connection.send(chunked(Buffer.alloc(3 * mebibyte)));
      const answer = await connection.next({ method: 'PUT', path });
      assert.equal(answer.status, 503);
      assert.match(answer.body.toString(), /Send Content-Length/);
      for (const holder of [...holders, connection]) holder.destroy();
      await untilIdle(gateway().url);
    });
  });

  describe('a download that is cut off at any byte', () => {
    it('leaves no block allocated, and the object unchanged', async () => {
      const objects = await Promise.all(
        [500, 20_000, 300_000, 6 * mebibyte].map(async (size) => {
          const bytes = randomBytes(size);
          return { bytes, key: await store(bytes) };
        }),
      );
      const download = async (i: number) => {
        const { bytes, key } = objects[i % objects.length] ?? { bytes: Buffer.alloc(1), key: '' };
        const { socket } = await connectRaw(gateway().port);
        const cut = below(bytes.length);
        let seen = 0;
        const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
        socket.on('data', (chunk: Buffer) => {
          seen += chunk.length;
          if (seen < cut) return;
          if (i % 2 === 0) socket.destroy();
          else socket.resetAndDestroy();
        });
        const headers = i % 3 === 0 ? { 'Want-Repr-Digest': 'sha-256=1' } : {};
        const one = requestHead('GET', `/v1/objects/${key}`, headers);
        socket.write(i % 5 === 0 ? one.repeat(3) : one);
        await closed;
      };
      const all = Array.from({ length: 60 }, (_, i) => i);
      await Promise.all(
        [0, 1, 2, 3].map(async (lane) => {
          for (const i of all.filter((n) => n % 4 === lane)) await download(i);
        }),
      );
      await untilIdle(gateway().url);
      for (const { key, bytes } of objects) assert.ok((await value(key)).equals(bytes));
    });
  });
});

withGateway({ args: [...slow, '--max-object-bytes', '64MiB'] }, (gateway) => {
  const { problem, store } = requestTo(gateway);

  describe('a client that stalls', () => {
    it('in an upload gets 408, and nothing is stored', async () => {
      for (const headers of [{ 'Content-Length': 1000 }, { 'Transfer-Encoding': 'chunked' }]) {
        const key = randomUUID();
        const path = `/v1/objects/${key}`;
        const connection = await connectRaw(gateway().port);
        connection.send(`${requestHead('PUT', path, headers)}5\r\nab`);
        const answer = await connection.next({ method: 'PUT', path });
        assert.equal(answer.status, 408);
        assert.equal(answer.headers['connection'], 'close');
        await connection.closed();
        await untilIdle(gateway().url);
        await problem('GET', key, 404, 'object-not-found');
        connection.destroy();
      }
    });

    it('in a request head gets 408', async () => {
      for (const bytes of ['GET /livez HT', 'GET /livez HTTP/1.1\r\nHost: localhost\r\nX-A: ']) {
        const connection = await connectRaw(gateway().port);
        connection.send(bytes);
        assert.equal((await connection.next()).status, 408);
        await connection.closed();
      }
    });

    it('in a download is cut off, and its block is released', async () => {
      const key = await store(Buffer.alloc(48 * mebibyte));
      const connection = await connectRaw(gateway().port);
      connection.socket.pause();
      connection.send(requestHead('GET', `/v1/objects/${key}`));
      await until(async () => (await metric(gateway().url, usedBytes)) >= 48 * mebibyte);
      await untilIdle(gateway().url);
      connection.socket.resume();
      const { rest } = await connection.closed();
      assert.ok(rest.length < 48 * mebibyte, 'a cut answer must not look complete');
      connection.destroy();
    });

    it('in many small responses is cut off too', async () => {
      const key = await store(Buffer.alloc(12_000, 'small'));
      const connection = await connectRaw(gateway().port);
      connection.socket.pause();
      const requests = 3000;
      connection.send(requestHead('GET', `/v1/objects/${key}`).repeat(requests));
      const sent = 'memcache_gateway_http_sent_bytes_total';
      const served = () =>
        metric(
          gateway().url,
          'http_server_request_duration_seconds_count{http_request_method="GET",http_route="/v1/objects/{key}",http_response_status_code="200"}',
        );
      // The responses have begun and then stall; the gateway never serves the queued requests.
      await until(async () => (await metric(gateway().url, sent)) > 12_000);
      const clientPort = connection.socket.localPort ?? 0;
      assert.equal(await isEstablished(gateway().port, clientPort), true);
      await until(async () => !(await isEstablished(gateway().port, clientPort)));
      assert.ok((await served()) < requests);
      connection.destroy();
    });

    it('but continues before the idle timeout is served, however long the upload takes', async () => {
      const connection = await connectRaw(gateway().port);
      const path = `/v1/objects/${randomUUID()}`;
      connection.send(requestHead('PUT', path, { 'Content-Length': 12 }));
      const started = performance.now();
      // Each byte follows after a third of the idle timeout.
      for (let sent = 0; sent < 12; sent++) {
        connection.send('x');
        const from = performance.now();
        await until(() => performance.now() - from > 200);
      }
      assert.ok(performance.now() - started > 2000);
      assert.equal((await connection.next({ method: 'PUT', path })).status, 201);
      connection.destroy();
    });
  });
});

describe('a gateway that gets SIGTERM', () => {
  for (const lane of ['on', 'off']) {
    it(`finishes requests in flight and closes its connections (fast lane ${lane})`, async (t) => {
      const gateway = await startGateway({ args: ['--fast-lane', lane] });
      t.after(() => gateway.kill());
      const path = `/v1/objects/${randomUUID()}`;
      const body = randomBytes(100_000);
      const busy = await connectRaw(gateway.port);
      busy.send(requestHead('PUT', path, { 'Content-Length': body.length }));
      const idle = await connectRaw(gateway.port);
      idle.send(requestHead('GET', '/livez'));
      assert.equal((await idle.next({ path: '/livez' })).headers['connection'], 'keep-alive');
      await until(async () => (await metric(gateway.url, requestsInFlight)) === 2);
      gateway.signal('SIGTERM');
      assert.equal((await idle.closed()).reset, false);
      busy.send(body);
      const answer = await busy.next({ method: 'PUT', path });
      assert.equal(answer.status, 201);
      assert.equal(answer.headers['connection'], 'close');
      await busy.closed();
      assert.deepEqual(await gateway.ended, { code: 0, signal: null });
    });
  }
});
