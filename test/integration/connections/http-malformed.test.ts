import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';
import { smallLimits, withSharedGateway } from '../../helpers/http/lanes.ts';
import {
  connectRaw,
  onConnection,
  requestHead,
  slugOf,
} from '../../helpers/http/raw-connection.ts';
import { requestTo } from '../../helpers/http/requests.ts';
import { untilIdle } from '../../helpers/process/metrics.ts';
import { until } from '../../helpers/process/until.ts';

const newPath = (): string => `/v1/objects/${randomUUID()}`;

// Without the access log, lines about refusals are limited for each problem.
withSharedGateway([...smallLimits, '--access-log'], (gateway) => {
  const { request, problem } = requestTo(gateway);

  describe('the limits of a request head', () => {
    it('allow a target of 8192 characters, and one more gets 414', () =>
      onConnection(gateway().port, async ({ send, next }) => {
        const prefix = '/v1/objects/a?x=';
        const at = prefix + 'y'.repeat(8192 - prefix.length);
        for (const [path, status] of [
          [at, 400],
          [`${at}y`, 414],
        ] as const) {
          send(requestHead('GET', path));
          assert.equal((await next({ path })).status, status);
        }
        const elsewhere = `/nowhere?${'y'.repeat(8192)}`;
        send(requestHead('GET', elsewhere));
        assert.equal((await next({ path: elsewhere })).status, 414);
      }));

    it('allow headers of 16 KiB together, and more get 431 and a close', async () => {
      await onConnection(gateway().port, async ({ send, next }) => {
        send(requestHead('GET', '/livez', { 'X-Large': 'y'.repeat(15 * 1024) }));
        assert.equal((await next({ path: '/livez' })).status, 200);
      });
      for (const head of [
        requestHead('GET', '/livez', { 'X-Large': 'y'.repeat(16 * 1024) }),
        requestHead('GET', '/livez', { 'X-Large': `GET /${'y'.repeat(16 * 1024)}` }),
        requestHead('GET', `/${'y'.repeat(8000)}`, { 'X-Large': 'y'.repeat(9000) }),
      ]) {
        await onConnection(gateway().port, async ({ send, next, closed }) => {
          send(head);
          const answer = await next();
          assert.equal(slugOf(answer), 'headers-too-large');
          assert.equal(answer.headers['connection'], 'close');
          assert.equal((await closed()).reset, false);
        });
      }
    });

    it('allow 256 header lines, and one more gets 431', () =>
      onConnection(gateway().port, async ({ send, next }) => {
        const lines = (count: number) =>
          requestHead('GET', '/livez').replace(/\r\n$/, `${'a:b\r\n'.repeat(count - 1)}\r\n`);
        for (const [count, status] of [
          [256, 200],
          [257, 431],
          [2900, 431],
          [256, 200],
        ] as const) {
          send(lines(count));
          assert.equal((await next({ path: '/livez' })).status, status, `${count} lines`);
        }
      }));
  });

  describe('a target that is too long for the parser', () => {
    it('gets 414 and a close, after the response to the request before it', async () => {
      const before = requestHead('GET', '/livez');
      for (const length of [16 * 1024, 20_000, 60_000]) {
        for (const first of ['', before]) {
          const { send, next, closed, destroy } = await connectRaw(gateway().port);
          send(first + requestHead('M-SEARCH', `/${'y'.repeat(length)}?a:b`));
          if (first !== '') assert.equal((await next({ path: '/livez' })).status, 200);
          else assert.equal(slugOf(await next()), 'uri-too-long', String(length));
          await closed();
          destroy();
        }
      }
    });
  });

  describe('bytes that are not HTTP', () => {
    const head = 'GET /livez HTTP/1.1\r\nHost: localhost\r\n';
    const put = `PUT ${newPath()} HTTP/1.1\r\nHost: localhost\r\n`;
    const malformed: Record<string, string | Buffer> = {
      garbage: 'this is not HTTP\r\n\r\n',
      'a TLS greeting': Buffer.from('16030100c8010000c40303', 'hex'),
      'another protocol version': 'GET /livez HTTP/9.9\r\nHost: localhost\r\n\r\n',
      'a target without a slash': 'GET livez HTTP/1.1\r\nHost: localhost\r\n\r\n',
      'a header without a colon': `${head}nonsense\r\n\r\n`,
      'a blank before the colon': `${head}X-A : 1\r\n\r\n`,
      'a NUL in a header': `${head}X-A: a\0b\r\n\r\n`,
      'a length that is no number': `${put}Content-Length: x\r\n\r\n`,
      'a negative length': `${put}Content-Length: -1\r\n\r\n`,
      'two lengths': `${put}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab`,
      'a length and chunks': `${put}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      'chunks and a length': `${put}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n`,
      'a chunk of no size': `${put}Transfer-Encoding: chunked\r\n\r\nxyz\r\n`,
      'a chunk longer than it says': `${put}Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n`,
      'a chunk in the middle of others': `${put}Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n-1\r\n`,
    };

    /** Returns the log lines of `work`, which lie between the lines of two requests with known ids. */
    async function linesBetween(work: () => Promise<void>): Promise<Record<string, unknown>[]> {
      const mark = async () => {
        const id = randomUUID();
        await request('GET', '%ff', { headers: { 'x-request-id': id } });
        const find = () =>
          gateway()
            .logged()
            .findIndex(({ requestId }) => requestId === id);
        await until(() => find() >= 0);
        return find();
      };
      const from = await mark();
      await work();
      await untilIdle(gateway().url);
      const to = await mark();
      return gateway()
        .logged()
        .slice(from + 1, to)
        .filter(({ route }) => route !== '/metrics');
    }

    it('get a 400, a close and one line in the log', async () => {
      for (const [what, bytes] of Object.entries(malformed)) {
        let id: string | undefined;
        const logged = await linesBetween(() =>
          onConnection(gateway().port, async ({ send, next, closed }) => {
            send(bytes);
            const answer = await next().catch((error: unknown) => assert.fail(`${what}: ${error}`));
            assert.equal(answer.status, 400, what);
            assert.equal(slugOf(answer), 'malformed-request', what);
            assert.equal(answer.headers['connection'], 'close');
            id = answer.headers['x-request-id'];
            assert.deepEqual(await closed(), { reset: false, rest: Buffer.alloc(0) }, what);
          }),
        );
        assert.equal(logged.length, 1, `${what}: ${JSON.stringify(logged)}`);
        assert.equal(logged[0]?.['problem'], 'malformed-request');
        assert.equal(logged[0]?.['level'], 'info');
        assert.equal(logged[0]?.['requestId'], id, what);
      }
    });

    it('get a 400 though the sender does not stop', () =>
      onConnection(gateway().port, async ({ send, next, socket, closed }) => {
        send('this is not HTTP\r\n\r\n');
        const garbage = Buffer.alloc(2 ** 18, 'x');
        for (let sent = 0; sent < 8; sent++) {
          await new Promise<void>((resolve) => void socket.write(garbage, () => resolve()));
        }
        assert.equal((await next()).status, 400);
        socket.end();
        assert.equal((await closed()).reset, false);
      }));

    it('behind a request do not prevent its response', async () => {
      const { send, next, closed, destroy } = await connectRaw(gateway().port);
      const path = newPath();
      const put = `${requestHead('PUT', path, { 'Content-Length': 1, 'If-None-Match': '*' })}x`;
      send(`${put}this is not HTTP\r\n\r\n`);
      assert.equal((await next({ method: 'PUT', path })).status, 201);
      const { reset, rest } = await closed();
      assert.equal(reset, false);
      // If the response to the request is quick, the bytes behind it get a 400.
      assert.match(rest.toString(), /^$|^HTTP\/1\.1 400 /);
      destroy();
    });

    it('get no response when the client ends its side inside a body', async () => {
      for (const rest of [
        `${requestHead('PUT', '/v1/objects/cut-short', { 'Content-Length': 9 })}x`,
        `${put}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n`,
      ]) {
        const logged = await linesBetween(() =>
          onConnection(gateway().port, async ({ send, socket, closed }) => {
            send(rest);
            socket.end();
            assert.deepEqual(await closed(), { reset: false, rest: Buffer.alloc(0) });
          }),
        );
        assert.deepEqual(
          logged.map(({ level, msg, status }) => [level, msg, status]),
          [['info', 'client disconnected', 0]],
        );
      }
      await problem('GET', 'cut-short', 404, 'object-not-found');
      await untilIdle(gateway().url);
    });

    it('may be a request without a Host', () =>
      onConnection(gateway().port, async ({ send, next }) => {
        send('GET /v1/objects/a HTTP/1.1\r\n\r\n');
        assert.equal(slugOf(await next({ path: '/v1/objects/a' })), 'malformed-request');
      }));
  });
});
