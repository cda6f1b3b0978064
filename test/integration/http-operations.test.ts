import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { withBothLanes } from '../helpers/lanes.ts';
import { metricsOf, untilIdle } from '../helpers/metrics.ts';
import { onConnection, requestHead, slugOf } from '../helpers/raw-connection.ts';
import { requestTo } from '../helpers/requests.ts';
import { until } from '../helpers/until.ts';

const sentBytes = 'memcache_gateway_http_sent_bytes_total';
const pages = [
  '/docs',
  '/openapi.json',
  '/openapi.yaml',
  '/problems',
  '/problems/no-room',
] as const;
const operations = ['/livez', '/readyz', '/metrics'] as const;

withBothLanes({}, (gateway) => {
  const { request, problem, store } = requestTo(gateway);

  describe('operations and pages', () => {
    it('take no body, announced in either way, and wait for none', async () => {
      for (const path of [...operations, ...pages]) {
        for (const method of ['GET', 'HEAD']) {
          for (const body of [{ 'Content-Length': 1e9 }, { 'Transfer-Encoding': 'chunked' }]) {
            await onConnection(gateway().port, async ({ send, next, socket, closed }) => {
              send(requestHead(method, path, body));
              const answer = await next({ method, path });
              assert.equal(answer.status, 400, path);
              if (method === 'GET') assert.equal(slugOf(answer), 'invalid-parameter');
              assert.equal(answer.headers['connection'], 'close');
              socket.end();
              assert.equal((await closed()).reset, false);
            });
          }
        }
      }
      for (const asset of ['/docs/page.css', '/docs/swagger-ui.css']) {
        await onConnection(gateway().port, async ({ send, next }) => {
          send(requestHead('GET', asset, { 'Content-Length': 1 }));
          assert.equal(slugOf(await next()), 'invalid-parameter', asset);
        });
      }
      await untilIdle(gateway().url);
    });

    it('are counted under their own templates when they lack the method', async () => {
      for (const path of [...operations, '/docs', '/openapi.json', '/problems/no-room'] as const) {
        const route = path === '/problems/no-room' ? '/problems/{slug}' : path;
        const name = `http_server_request_duration_seconds_count{http_request_method="POST",http_route="${route}",http_response_status_code="405"}`;
        await problem('POST', '', 405, 'method-not-allowed', {}, path);
        await until(async () => (await metricsOf(gateway().url)).get(name) === 1, { what: name });
      }
    });
  });

  describe('the bytes of bodies sent', () => {
    /** What each scrape adds is known from the one before. */
    async function sentBy(work: () => Promise<unknown>): Promise<number> {
      await untilIdle(gateway().url);
      const scrape = async () => {
        const text = await (await fetch(`${gateway().url}/metrics`)).text();
        const value = Number(new RegExp(`^${sentBytes} (\\d+)$`, 'm').exec(text)?.[1]);
        return { value, bytes: Buffer.byteLength(text) };
      };
      const before = await scrape();
      await work();
      return (await scrape()).value - before.value - before.bytes;
    }

    it('are those of pages, of JSON in UTF-8, of objects and of refusals', async () => {
      const key = await store('x'.repeat(100_000));
      const accented = await store('x');
      await request('PUT', `${accented}/\u00e9\u20ac`, { body: 'value' });
      for (const [method, what, resource] of [
        ['GET', '', '/docs'],
        ['GET', '', '/openapi.json'],
        ['GET', '', '/problems/no-room'],
        ['HEAD', '', '/openapi.json'],
        ['GET', '', '/livez'],
        ['GET', '', '/nowhere'],
        ['POST', '', '/docs'],
        ['GET', key, 'objects'],
        ['HEAD', key, 'objects'],
        ['GET', `${accented}/\u00e9\u20ac`, 'info'],
        ['GET', 'missing', 'objects'],
      ] as const) {
        let bytes = -1;
        const sent = await sentBy(async () => {
          bytes = (await request(method, what, {}, resource)).body.length;
        });
        assert.equal(sent, bytes, `${method} ${resource} ${what}`);
      }
    });

    it('are those of the assets, and of a refused upload', async () => {
      let bytes = -1;
      const asset = `${gateway().url}/docs/swagger-ui-bundle.js`;
      const sent = await sentBy(async () => {
        bytes = (await (await fetch(asset)).arrayBuffer()).byteLength;
      });
      assert.ok(bytes > 1_000_000);
      assert.equal(sent, bytes);
      const refused = await sentBy(() =>
        onConnection(gateway().port, async ({ send, next, socket, closed }) => {
          const path = '/v1/objects/a?nonsense';
          send(requestHead('PUT', path, { 'Content-Length': 10 }));
          bytes = (await next({ method: 'PUT', path })).body.length;
          socket.end();
          await closed();
        }),
      );
      assert.equal(refused, bytes);
    });
  });
});
