import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { smallLimits, withSharedGateway } from '../../helpers/http/lanes.ts';
import { onConnection, requestHead, slugOf } from '../../helpers/http/raw-connection.ts';
import { requestTo } from '../../helpers/http/requests.ts';
import { metricsOf, untilIdle } from '../../helpers/process/metrics.ts';
import { until } from '../../helpers/process/until.ts';

const sentBytes = 'memcache_gateway_http_sent_bytes_total';
const pages = [
  '/',
  '/docs',
  '/openapi.json',
  '/openapi.yaml',
  '/problems',
  '/problems/no-room',
] as const;
const operations = ['/livez', '/readyz', '/metrics'] as const;

withSharedGateway(smallLimits, (gateway) => {
  const { request, problem, store } = requestTo(gateway);

  describe('operations and pages', () => {
    it('refuse a body, sized or chunked, without waiting for it', async () => {
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

    it('count a 405 under their own route templates', async () => {
      for (const path of [
        ...operations,
        '/',
        '/docs',
        '/openapi.json',
        '/problems/no-room',
      ] as const) {
        const route = path === '/problems/no-room' ? '/problems/{slug}' : path;
        const name = `http_server_request_duration_seconds_count{http_request_method="POST",http_route="${route}",http_response_status_code="405"}`;
        const count = async () => (await metricsOf(gateway().url)).get(name) ?? 0;
        const before = await count();
        await problem('POST', '', 405, 'method-not-allowed', {}, path);
        await until(async () => (await count()) === before + 1, { what: name });
      }
    });
  });

  describe('the status page', () => {
    const headers = { Accept: 'text/html' };
    const page = (query = '', more = {}) =>
      request('GET', query, { headers: { ...headers, ...more } }, '/');

    it('shows the device and the pool to browsers, and links to programs', async () => {
      // Another engine than the embedded one has no figures of the pool here.
      const wanted = gateway().ready['engine'] === 'embedded' ? /DRAM/ : /The gateway is ready/;
      await until(async () => wanted.test(String((await page()).body)), { what: 'a first sample' });
      const { status, headers: fields, body } = await page();
      assert.equal(status, 200);
      assert.match(String(fields['content-security-policy']), /form-action 'self'/);
      assert.match(String(body), /The gateway is ready\./);
      const programs = await request('GET', '', {}, '/');
      assert.match(String(programs.headers['content-type']), /^application\/json/);
      assert.equal(programs.headers['cache-control'], 'no-cache');
    });

    it('has the same headers for HEAD, and no body', async () => {
      const { status, headers: fields, body } = await request('HEAD', '', { headers }, '/');
      assert.deepEqual([status, body.length], [200, 0]);
      assert.ok(Number(fields['content-length']) > 1000);
    });

    it('looks up a key, and shows the problem of one that is missing or invalid', async () => {
      const key = await store('value');
      const found = String((await page(`?key=${encodeURIComponent(key)}`)).body);
      assert.match(found, /5 bytes/);
      for (const [query, slug] of [
        ['?key=no+such+key', 'object-not-found'],
        [`?key=${'k'.repeat(256)}`, 'invalid-key'],
        ['?key=%00', 'invalid-key'],
        ['?key=%ff', 'invalid-key'],
      ] as const) {
        const { status, body } = await page(query);
        assert.equal(status, 200, query);
        assert.ok(String(body).includes(`href="/problems/${slug}"`), query);
      }
      assert.doesNotMatch(String((await page(`?key=${'k'.repeat(255)}`)).body), /invalid-key/);
    });

    it('looks up no key that a page of another site has chosen', async () => {
      const key = encodeURIComponent(await store('value'));
      const site = (name: string) => page(`?key=${key}`, { 'Sec-Fetch-Site': name });
      for (const name of ['cross-site', 'same-site']) {
        const { status, body } = await site(name);
        assert.equal(status, 200);
        assert.match(String(body), /origin-not-allowed/);
        assert.doesNotMatch(String(body), /5 bytes/);
      }
      for (const name of ['same-origin', 'none']) {
        assert.match(String((await site(name)).body), /5 bytes/);
      }
    });

    it('refuses other parameters, for programs those of the page too', async () => {
      for (const query of ['?keys=a', '?refresh=10', '?key=a&key=b']) {
        await problem('GET', query, 400, 'invalid-parameter', { headers }, '/');
      }
      await problem('GET', '?key=a', 400, 'invalid-parameter', {}, '/');
      await problem('POST', '', 405, 'method-not-allowed', { headers }, '/');
    });
  });

  describe('/metrics', () => {
    it('names the version of the gateway', async () => {
      const text = await (await fetch(`${gateway().url}/metrics`)).text();
      const { version } = gateway().ready;
      assert.ok(
        text.includes(`\nmemcache_gateway_build_info{version="${String(version)}",node_version="`),
      );
    });

    it('has the metrics of docs/metrics.md, and those of the process', async () => {
      const text = await (await fetch(`${gateway().url}/metrics`)).text();
      const names = [...text.matchAll(/^# TYPE (\S+) (\S+)/gm)].map(
        ([, name, type]) => `${name} ${type}`,
      );
      const page = readFileSync(new URL('../../../docs/metrics.md', import.meta.url), 'utf8');
      const documented = [...page.matchAll(/^\| `(\S+)` \| (\w+) \|/gm)];
      assert.deepEqual(
        names.filter((name) => !/^(process|nodejs)_/.test(name)).sort(),
        documented
          .map(([, name, type]) => `${name} ${type}`)
          // This gateway has no token file and no TLS; the tests of those read these metrics.
          .filter((name) => !/^memcache_gateway_(token_file|tls)_/.test(name))
          .sort(),
      );
    });
  });

  describe('the counter of sent body bytes', () => {
    /** Subtracts the body of the first scrape, which the second scrape includes. */
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

    it('includes pages, JSON in UTF-8, objects and refusals', async () => {
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

    it('includes assets and the response to a refused upload', async () => {
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
