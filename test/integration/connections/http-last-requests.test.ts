import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as elapse } from 'node:timers/promises';
import { smallLimits, withSharedGateway } from '../../helpers/http/lanes.ts';
import { chunked, onConnection, requestHead, slugOf } from '../../helpers/http/raw-connection.ts';
import { requestTo } from '../../helpers/http/requests.ts';
import { untilIdle } from '../../helpers/process/metrics.ts';
import { until } from '../../helpers/process/until.ts';

const mebibyte = 1 << 20;
const newPath = (): string => `/v1/objects/${randomUUID()}`;
const hasJava = spawnSync('java', ['-version']).status === 0;

/** Headers that make the parser stop behind the request, or that come close to it. */
const upgrades: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  plain: { Connection: 'Upgrade', Upgrade: 'h2c' },
  'in mixed case': { connection: 'uPGRADE', upgrade: 'x' },
  'of Java': {
    Connection: 'Upgrade, HTTP2-Settings',
    Upgrade: 'h2c',
    'HTTP2-Settings': 'AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA',
  },
  'with keep-alive': { Connection: 'keep-alive, Upgrade, HTTP2-Settings', Upgrade: 'h2c' },
  'without Connection: Upgrade': { Upgrade: 'h2c' },
};

const java = `
import java.net.URI;
import java.net.http.*;
public class Client {
  public static void main(String[] arguments) throws Exception {
    HttpClient client = HttpClient.newHttpClient();
    URI uri = URI.create(arguments[0]);
    byte[] value = new byte[3000000];
    new java.util.Random(7).nextBytes(value);
    for (int i = 0; i < 3; i++) {
      URI one = URI.create(uri + "-" + i);
      int put = client.send(HttpRequest.newBuilder(one)
        .PUT(HttpRequest.BodyPublishers.ofByteArray(value)).build(),
        HttpResponse.BodyHandlers.discarding()).statusCode();
      HttpResponse<byte[]> got = client.send(HttpRequest.newBuilder(one).build(),
        HttpResponse.BodyHandlers.ofByteArray());
      System.out.println(put + " " + got.statusCode() + " " + java.util.Arrays.equals(got.body(), value));
    }
  }
}`;

withSharedGateway(smallLimits, (gateway) => {
  const { request, store, value } = requestTo(gateway);
  const isStored = async (object: string) =>
    (await request('HEAD', object.replace('/v1/objects/', ''))).status === 200;

  describe('a request of HTTP/1.0 with Transfer-Encoding', () => {
    it('is the last of its connection, even with keep-alive', async () => {
      const path = newPath();
      const inner = requestHead('GET', path);
      await onConnection(gateway().port, async ({ send, next, closed }) => {
        send(
          `PUT ${path} HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n${inner}`,
        );
        assert.equal((await next({ method: 'PUT', path })).status, 201);
        assert.deepEqual(await closed(), { reset: false, rest: Buffer.alloc(0) });
      });
    });
  });

  describe('a request with Upgrade', () => {
    for (const [what, headers] of Object.entries(upgrades)) {
      it(`is served, and the requests behind it are ignored: ${what}`, async () => {
        const key = await store('kept');
        const object = `/v1/objects/${key}`;
        const inner = requestHead('DELETE', object);
        await onConnection(gateway().port, async ({ send, next, closed }) => {
          // The DELETE follows in the same packet, and again in the next one as the body of a PUT.
          send(
            requestHead('GET', object, headers) +
              inner +
              requestHead('PUT', newPath(), { 'Content-Length': inner.length }),
          );
          const answer = await next({ path: object });
          assert.equal(answer.body.toString(), 'kept');
          assert.equal(answer.headers['connection'], 'close');
          send(inner);
          assert.deepEqual(await closed(), { reset: false, rest: Buffer.alloc(0) });
        });
        assert.ok(await isStored(object));
      });
    }

    it('is served with its body, in every form of body, and behind others', async () => {
      const large = randomBytes(3 * mebibyte);
      const bodies: [Record<string, string | number>, Buffer][] = [
        [{ 'Content-Length': 3 }, Buffer.from('abc')],
        [{ 'Content-Length': large.length }, large],
        [{ 'Transfer-Encoding': 'chunked' }, chunked('abc', 'def')],
      ];
      for (const [headers, body] of bodies) {
        const object = newPath();
        const behind = newPath();
        await onConnection(gateway().port, async ({ send, next, closed }) => {
          send(requestHead('GET', '/livez'));
          send(requestHead('PUT', object, { ...headers, ...upgrades['of Java'] }));
          send(body);
          send(`${requestHead('PUT', behind, { 'Content-Length': 1 })}x`);
          assert.equal((await next({ path: '/livez' })).status, 200);
          const answer = await next({ method: 'PUT', path: object });
          assert.equal(answer.status, 201);
          assert.equal(answer.headers['connection'], 'close');
          send(requestHead('DELETE', object));
          assert.deepEqual(await closed(), { reset: false, rest: Buffer.alloc(0) });
        });
        assert.ok(await isStored(object));
        assert.equal(await isStored(behind), false);
      }
      await untilIdle(gateway().url);
    });

    it('gets its 100 Continue, and a batch with Upgrade is served', async () => {
      const object = newPath();
      await onConnection(gateway().port, async ({ send, next, closed }) => {
        const headers = { 'Content-Length': 3, Expect: '100-continue', ...upgrades['plain'] };
        send(requestHead('PUT', object, headers));
        assert.equal((await next()).status, 100);
        send(`abc${requestHead('DELETE', object)}`);
        assert.equal((await next({ method: 'PUT', path: object })).status, 201);
        assert.equal((await closed()).rest.length, 0);
      });
      const text = JSON.stringify({ keys: [object.replace('/v1/objects/', '')] });
      const batch = '/v1/batch/exists';
      await onConnection(gateway().port, async ({ send, next, closed }) => {
        const type = { 'Content-Type': 'application/json', 'Content-Length': text.length };
        const remove = requestHead('POST', '/v1/batch/remove', type) + text;
        send(requestHead('POST', batch, { ...type, ...upgrades['plain'] }) + text + remove);
        const answer = await next({ method: 'POST', path: batch });
        assert.match(answer.body.toString(), /"exists":true/);
        assert.equal((await closed()).rest.length, 0);
      });
      assert.ok(await isStored(object));
    });

    it('is served each time the default client of Java sends it', {
      skip: hasJava ? false : 'there is no java on the PATH',
    }, () => {
      const folder = mkdtempSync(path.join(tmpdir(), 'java-client-'));
      try {
        const file = path.join(folder, 'Client.java');
        writeFileSync(file, java);
        const url = `${gateway().url}${newPath()}`;
        const ran = spawnSync('java', [file, url], { encoding: 'utf8', timeout: 120_000 });
        assert.equal(ran.stdout, '201 200 true\n'.repeat(3), ran.stderr);
      } finally {
        rmSync(folder, { recursive: true });
      }
    });
  });

  describe('HTTP/2 in plain text', () => {
    it('gets 505, with and without prior knowledge, and the connection closes', async () => {
      for (const [bytes, expected] of [
        ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', { path: '/livez' }],
        [requestHead('GET', '/livez').replace('HTTP/1.1', 'HTTP/2.0'), { path: '/livez' }],
      ] as const) {
        await onConnection(gateway().port, async ({ send, next, closed }) => {
          send(bytes);
          const answer = await next(expected);
          assert.equal(answer.status, 505);
          assert.equal(slugOf(answer), 'http-version-not-supported');
          assert.equal(answer.headers['connection'], 'close');
          assert.equal((await closed()).reset, false);
        });
      }
    });
  });

  describe('the last response of a pipeline', () => {
    const large = randomBytes(3_000_000);
    const refused = requestHead('PUT', '/v1/objects/refused', {
      'Content-Encoding': 'gzip',
      'Content-Length': mebibyte,
    });
    const last = requestHead('PUT', '/v1/objects/refused?replicas=9', {
      ...{ Connection: 'close', 'Content-Length': 0 },
    });

    it('may be a refusal, and the response before it arrives whole, even with more requests behind', async () => {
      const object = `/v1/objects/${await store(large)}`;
      const get = requestHead('GET', object);
      await onConnection(gateway().port, async ({ send, next, closed, socket }) => {
        socket.pause();
        send(get + refused);
        send(Buffer.alloc(mebibyte));
        send(get.repeat(5000));
        // The response does not fit the buffers of the kernel, so part of it waits until the client reads.
        socket.resume();
        assert.ok((await next({ path: object })).body.equals(large));
        const answer = await next({ method: 'PUT', path: '/v1/objects/refused' });
        assert.equal(answer.status, 415);
        assert.equal(answer.headers['connection'], 'close');
        assert.deepEqual(await closed(), { reset: false, rest: Buffer.alloc(0) });
      });
      await untilIdle(gateway().url);
    });

    it('is a 400 for malformed bytes, and the requests before them are served', async () => {
      const object = `/v1/objects/${await store(large)}`;
      const get = requestHead('GET', object);
      await onConnection(gateway().port, async ({ send, next, closed }) => {
        send(`${get}${get}\0\r\n\r\n`);
        send(Buffer.alloc(mebibyte, 'a'));
        for (let left = 2; left > 0; left -= 1) {
          assert.ok((await next({ path: object })).body.equals(large));
        }
        assert.equal(slugOf(await next()), 'malformed-request');
        assert.deepEqual(await closed(), { reset: false, rest: Buffer.alloc(0) });
      });
    });

    it('is whole when the client requested a close and sent more', async () => {
      const object = `/v1/objects/${await store(large)}`;
      const behind = newPath();
      await onConnection(gateway().port, async ({ send, next, closed }) => {
        send(requestHead('GET', object, { Connection: 'close' }));
        send(`${requestHead('PUT', behind, { 'Content-Length': 1 })}x`.repeat(20_000));
        assert.ok((await next({ path: object })).body.equals(large));
        assert.deepEqual(await closed(), { reset: false, rest: Buffer.alloc(0) });
      });
      assert.equal(await isStored(behind), false);
    });

    it('is whole when it is small, and the client requested a close and sent more with the request', async () => {
      const object = `/v1/objects/${await store('small')}`;
      for (let turn = 0; turn < 20; turn += 1) {
        await onConnection(gateway().port, async ({ send, next, closed }) => {
          send(requestHead('GET', object, { Connection: 'close' }) + 'x'.repeat(turn * 1000));
          assert.equal((await next({ path: object })).body.toString(), 'small');
          assert.deepEqual(await closed(), { reset: false, rest: Buffer.alloc(0) });
        });
      }
    });

    it('closes the connection at once if the client requested that and sent nothing else', async () => {
      const object = `/v1/objects/${await store('small')}`;
      await onConnection(gateway().port, async ({ send, next, closed, socket }) => {
        send(requestHead('GET', object, { Connection: 'close' }));
        assert.equal((await next({ path: object })).body.toString(), 'small');
        assert.equal((await closed()).reset, false);
        // The gateway has closed both directions: the kernel answers what arrives now with a reset.
        const broken = new Promise<Error>((resolve) => socket.once('error', resolve));
        while (!socket.destroyed) {
          socket.write('x');
          await elapse(10);
        }
        assert.match(String(await broken), /EPIPE|ECONNRESET/);
      });
    });

    for (const [name, head, status] of [
      ['of a refused upload', refused, 415],
      ['of a client that requested the close', last, 400],
    ] as const) {
      it(`closes the connection ${name}, though the client does not close its side`, async () => {
        await onConnection(gateway().port, async ({ send, next, closed, socket }) => {
          send(head);
          assert.equal((await next({ method: 'PUT', path: '/v1/objects/refused' })).status, status);
          await closed();
          // The client's side is still open: the gateway discards its bytes until it closes the socket.
          const broken = new Promise((resolve) => socket.once('close', resolve));
          const sending = setInterval(() => socket.write('x'), 2_500);
          await broken;
          clearInterval(sending);
        });
      });
    }
  });

  describe('a client that has ended its side', () => {
    it('gets all responses', async () => {
      const key = await store('x');
      await onConnection(gateway().port, async ({ send, next, closed, socket }) => {
        send(requestHead('GET', `/v1/objects/${key}`).repeat(3));
        socket.end();
        for (let left = 3; left > 0; left -= 1) {
          assert.equal((await next({ path: `/v1/objects/${key}` })).body.toString(), 'x');
        }
        assert.equal((await closed()).reset, false);
      });
    });

    it('is counted as disconnected when it ends inside a body', async () => {
      const route = '/v1/objects/{key}';
      const name = `memcache_gateway_client_disconnects_total{http_route="${route}"}`;
      const count = async () => {
        const text = await (await fetch(`${gateway().url}/metrics`)).text();
        const line = text.split('\n').find((one) => one.startsWith(name));
        return Number(line?.slice(name.length) ?? 0);
      };
      const before = await count();
      await onConnection(gateway().port, async ({ send, closed, socket }) => {
        send(requestHead('PUT', newPath(), { 'Content-Length': 9 }));
        socket.end();
        assert.equal((await closed()).rest.length, 0);
      });
      await until(async () => (await count()) === before + 1);
      assert.equal((await value(await store('y'))).toString(), 'y');
    });
  });
});
