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
import { metricsOf, untilIdle } from '../../helpers/process/metrics.ts';
import { until } from '../../helpers/process/until.ts';

const newPath = (): string => `/v1/objects/${randomUUID()}`;

withSharedGateway(smallLimits, (gateway) => {
  const { request, problem, store, value } = requestTo(gateway);

  describe('connections', () => {
    it('serve pipelined requests in order', () =>
      onConnection(gateway().port, async ({ send, next }) => {
        const paths = Array.from({ length: 20 }, newPath);
        const large = 'x'.repeat(200_000);
        const put = (path: string, body: string) =>
          requestHead('PUT', path, { 'Content-Length': body.length }) + body;
        send(
          paths
            .flatMap((path, i) => [
              put(path, i % 3 === 0 ? large : `value ${i}`),
              requestHead('HEAD', path),
              requestHead('GET', path),
              requestHead('GET', '/nowhere'),
              requestHead('DELETE', path),
              requestHead('GET', path),
            ])
            .join(''),
        );
        for (const [i, path] of paths.entries()) {
          assert.equal((await next({ method: 'PUT', path })).status, 201);
          assert.equal((await next({ method: 'HEAD', path })).status, 200);
          const { body } = await next({ path });
          assert.equal(body.toString(), i % 3 === 0 ? large : `value ${i}`);
          assert.equal((await next({ path: '/nowhere' })).status, 404);
          assert.equal((await next({ method: 'DELETE', path })).status, 204);
          assert.equal((await next({ path })).status, 404);
        }
      }));

    it('may close after a refusal, even with pipelined requests behind it', () =>
      onConnection(gateway().port, async ({ send, next, closed }) => {
        const path = newPath();
        const body = 'x'.repeat(100_000);
        const head = requestHead('PUT', `${path}?replicas=9`, { 'Content-Length': body.length });
        send(head + body + requestHead('GET', path));
        const answer = await next({ method: 'PUT', path });
        assert.equal(answer.status, 400);
        if (answer.headers['connection'] !== 'close')
          assert.equal((await next({ path })).status, 404);
        else assert.equal((await closed()).rest.length, 0);
      }));

    it('carry no body in responses to HEAD, including errors and pages', () =>
      onConnection(gateway().port, async ({ send, next }) => {
        const object = `/v1/objects/${await store('x')}`;
        const targets = [object, newPath(), '/v1/objects/%ff', `${object}?x`, '/nowhere'];
        for (const path of [
          ...targets,
          '/livez',
          '/readyz',
          '/metrics',
          '/openapi.json',
          '/docs',
        ]) {
          send(requestHead('HEAD', path));
          await next({ method: 'HEAD', path });
        }
        send(requestHead('HEAD', object, { 'Content-Length': 1 }));
        assert.equal((await next({ method: 'HEAD', path: object })).status, 400);
      }));

    it('close when the client requests it, and after HTTP/1.0', async () => {
      const path = `/v1/objects/${await store('x')}`;
      for (const head of [
        requestHead('GET', path, { Connection: 'close' }),
        `GET ${path} HTTP/1.0\r\nHost: localhost\r\n\r\n`,
      ]) {
        await onConnection(gateway().port, async ({ send, next, closed }) => {
          send(head);
          assert.equal((await next({ path })).body.toString(), 'x');
          assert.equal((await closed()).reset, false);
        });
      }
    });

    it('accept targets in absolute form', () =>
      onConnection(gateway().port, async ({ send, next }) => {
        const path = newPath();
        const absolute = `http://127.0.0.1:${gateway().port}${path}`;
        send(`${requestHead('PUT', absolute, { 'Content-Length': 1 })}x`);
        assert.equal((await next({ method: 'PUT', path })).status, 201);
        send(requestHead('GET', absolute));
        assert.equal((await next({ path })).body.toString(), 'x');
        for (const [target, status] of [
          ['http://127.0.0.1/livez', 200],
          ['http://127.0.0.1', 200],
        ] as const) {
          send(requestHead('GET', target));
          const answer = await next({ path: target.replace('http://127.0.0.1', '') || '/' });
          assert.equal(answer.status, status, target);
        }
      }));

    it('respond to OPTIONS * and CONNECT with problems', async () => {
      await onConnection(gateway().port, async ({ send, next }) => {
        send(requestHead('OPTIONS', '*'));
        assert.equal((await next({ method: 'OPTIONS', path: '*' })).status, 404);
      });
      for (const target of ['example.org:443', '127.0.0.1:443', '[::1]:443']) {
        await onConnection(gateway().port, async ({ send, next, closed }) => {
          send(requestHead('CONNECT', target, { 'X-Request-Id': 'a-tunnel' }));
          const answer = await next({ method: 'CONNECT', path: '/livez' });
          assert.equal(answer.status, 405);
          assert.equal(answer.headers['x-request-id'], 'a-tunnel');
          assert.equal(answer.headers['connection'], 'close');
          assert.equal((await closed()).reset, false);
        });
      }
    });

    it('respond to a CONNECT after the requests before it, and check, count and log it', async () => {
      const path = newPath();
      const large = 'x'.repeat(200_000);
      const counted = `http_server_request_duration_seconds_count{http_request_method="CONNECT",http_route="other",http_response_status_code="403"}`;
      const before = (await metricsOf(gateway().url)).get(counted) ?? 0;
      await onConnection(gateway().port, async ({ send, next, closed }) => {
        const put = requestHead('PUT', path, { 'Content-Length': large.length }) + large;
        send(put + requestHead('GET', path));
        send(
          requestHead('CONNECT', 'a:1', { Host: 'evil.example', 'X-Request-Id': 'evil-tunnel' }),
        );
        assert.equal((await next({ method: 'PUT', path })).status, 201);
        assert.equal((await next({ path })).body.toString(), large);
        const answer = await next({ method: 'CONNECT', path: '/livez' });
        assert.equal(slugOf(answer), 'host-not-allowed');
        assert.equal((await closed()).reset, false);
      });
      await until(() =>
        gateway()
          .logged()
          .some(({ requestId }) => requestId === 'evil-tunnel'),
      );
      assert.equal(((await metricsOf(gateway().url)).get(counted) ?? 0) - before, 1);
      await untilIdle(gateway().url);
    });

    it('respond to a CONNECT after a slow page', async () => {
      const { send, closed, destroy } = await connectRaw(gateway().port);
      send(requestHead('GET', '/docs/swagger-ui-bundle.js') + requestHead('CONNECT', 'a:1'));
      const { reset, rest } = await closed();
      destroy();
      assert.equal(reset, false);
      const [head] = rest.toString('latin1', 0, 2000).split('\r\n\r\n', 1);
      const length = Number(/^content-length: (\d+)/im.exec(head ?? '')?.[1]);
      const behind = rest.subarray((head ?? '').length + 4 + length).toString();
      assert.match(behind, /^HTTP\/1\.1 405 /);
    });

    it('of other clients survive a CONNECT whose client resets, and one whose client stays silent', async () => {
      const kept = await store('kept');
      const worker = gateway().workerPid();
      for (const before of ['', requestHead('GET', `/v1/objects/${kept}`)]) {
        const { send, next, socket, closed } = await connectRaw(gateway().port);
        send(before + requestHead('CONNECT', 'a:1'));
        if (before !== '') await next({ path: `/v1/objects/${kept}` });
        assert.equal((await next({ method: 'CONNECT', path: '/livez' })).status, 405);
        socket.resetAndDestroy();
        await closed();
      }
      const silent = await connectRaw(gateway().port);
      silent.send(requestHead('CONNECT', 'a:1'));
      await silent.next({ method: 'CONNECT', path: '/livez' });
      await silent.closed();
      silent.destroy();
      await untilIdle(gateway().url);
      assert.equal((await value(kept)).toString(), 'kept');
      assert.equal(gateway().workerPid(), worker);
    });

    it('stay on HTTP/1.1 when the client offers an upgrade', async () => {
      for (const upgrade of ['websocket', 'h2c']) {
        await onConnection(gateway().port, async ({ send, next, closed }) => {
          send(requestHead('GET', '/livez', { Connection: 'Upgrade', Upgrade: upgrade }));
          assert.equal((await next({ path: '/livez' })).status, 200);
          assert.equal((await closed()).reset, false);
        });
      }
    });
  });

  describe('the checks of Host, Origin and request ids', () => {
    it('use the authority of an absolute target instead of the Host', async () => {
      for (const target of [
        'http://evil.example/livez',
        'HTTPS://evil.example/livez',
        'x://evil/livez',
      ]) {
        await onConnection(gateway().port, async ({ send, next }) => {
          send(requestHead('GET', target));
          assert.equal(slugOf(await next({ path: '/livez' })), 'host-not-allowed', target);
          send(requestHead('GET', 'http://localhost/livez', { Host: 'evil.example' }));
          assert.equal((await next({ path: '/livez' })).status, 200);
        });
      }
    });

    it('refuse a second Host at any position', async () => {
      const many = 'a:\r\n'.repeat(2100);
      for (const [between, path] of [
        ['', '/livez'],
        ['X: 1\r\n', newPath()],
        [many, '/livez'],
      ] as const) {
        for (const second of ['localhost', 'evil.example', '']) {
          await onConnection(gateway().port, async ({ send, next }) => {
            send(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n${between}host:${second}\r\n\r\n`);
            assert.equal(slugOf(await next({ path })), 'malformed-request', second);
          });
        }
      }
    });

    it('accept loopback names and addresses, and refuse names that DNS could rebind', async () => {
      const path = newPath();
      for (const [headers, status, slug] of [
        [{ host: 'localhost' }, 404, 'object-not-found'],
        [{ host: '[::1]:1' }, 404, 'object-not-found'],
        [{ host: 'evil.example' }, 403, 'host-not-allowed'],
        [{ host: 'localhost.evil.example' }, 403, 'host-not-allowed'],
        [{ host: 'localhost:1', origin: 'http://localhost:1' }, 404, 'object-not-found'],
        [{ host: 'localhost:1', origin: 'http://localhost:2' }, 403, 'origin-not-allowed'],
        [{ host: 'localhost:1', origin: 'https://evil.example' }, 403, 'origin-not-allowed'],
        [{ host: 'localhost:1', origin: 'null' }, 403, 'origin-not-allowed'],
      ] as [Record<string, string>, number, 'object-not-found'][]) {
        await problem('GET', '', status, slug, { headers }, path as '/');
      }
      for (const page of ['/docs', '/metrics', '/livez', '/nowhere'] as const) {
        const headers = { host: 'evil.example' };
        await problem('GET', '', 403, 'host-not-allowed', { headers }, page);
      }
    });

    it('give each response an id, which is the one of the client when it is safe', async () => {
      for (const path of [newPath(), '/livez', '/nowhere', '/docs'] as `/${string}`[]) {
        const id = (sent: string | undefined) =>
          request(
            'GET',
            '',
            sent === undefined ? {} : { headers: { 'x-request-id': sent } },
            path,
          ).then(({ headers }) => String(headers['x-request-id']));
        assert.equal(await id('mine-1'), 'mine-1');
        assert.equal(await id('x'.repeat(128)), 'x'.repeat(128));
        for (const unsafe of [undefined, 'x'.repeat(129), 'a b', '{"a":1}']) {
          assert.notEqual(await id(unsafe), unsafe);
        }
        assert.notEqual(await id(undefined), await id(undefined));
      }
    });
  });
});
