import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { withGateway } from '../../helpers/http/lanes.ts';
import { connectRaw, requestHead } from '../../helpers/http/raw-connection.ts';
import { requestTo } from '../../helpers/http/requests.ts';
import { requestRaw } from '../../helpers/openapi/openapi.ts';
import { metricsOf } from '../../helpers/process/metrics.ts';

const listed = 'https://console.example';
const sites = ['cross-site', 'same-site'];

withGateway({ args: ['--allow-origin', listed] }, (gateway) => {
  const { request, problem, store } = requestTo(gateway);
  const from = (site: string, more: Record<string, string> = {}) => ({
    headers: { 'Sec-Fetch-Site': site, ...more },
  });

  const engineCalls = async (): Promise<number> =>
    [...(await metricsOf(gateway().url))]
      .filter(([name]) => name.startsWith('memcache_gateway_engine_call_duration_seconds_count'))
      .reduce((sum, [, count]) => sum + count, 0);

  describe('a request from a page of another site', () => {
    it('gets 403 below /v1/ without an engine call, the same for present and missing keys', async () => {
      const key = await store('x');
      const before = await engineCalls();
      assert.ok(before > 0);
      for (const site of sites) {
        for (const [method, resource, query] of [
          ['GET', 'objects', ''],
          ['HEAD', 'objects', ''],
          ['DELETE', 'objects', ''],
          ['OPTIONS', 'objects', ''],
          ['GET', 'info', ''],
          ['GET', 'layers', '?sizes=1'],
        ] as const) {
          const bodies = [];
          for (const name of [key, `${key}x`]) {
            const options = from(site, { 'X-Request-Id': 'same' });
            const { status, body } = await request(method, name + query, options, resource);
            assert.equal(status, 403, `${method} ${resource}`);
            bodies.push(body.toString().replaceAll(name, 'KEY'));
          }
          assert.equal(bodies[0], bodies[1]);
        }
        await problem('GET', '', 403, 'origin-not-allowed', from(site), '/v1/clients');
        await problem('GET', '', 403, 'origin-not-allowed', from(site), '/v1/nothing');
        const { send, next, destroy } = await connectRaw(gateway().port);
        send(requestHead('GET', `foo://127.0.0.1/v1/clients`, { 'Sec-Fetch-Site': site }));
        assert.equal((await next()).status, 403);
        destroy();
      }
      assert.equal(await engineCalls(), before);
      assert.equal((await request('GET', key)).status, 200);
    });

    it('stores and removes nothing', async () => {
      const key = await store('x');
      const body = JSON.stringify({ keys: [key] });
      const headers = { 'Sec-Fetch-Site': 'cross-site', 'Content-Type': 'application/json' };
      const options = { headers, body };
      await problem('POST', '', 403, 'origin-not-allowed', options, '/v1/batch/remove');
      await problem('PUT', `${key}x`, 403, 'origin-not-allowed', { ...from('same-site'), body });
      assert.equal((await request('GET', key)).status, 200);
      assert.equal((await request('GET', `${key}x`)).status, 404);
    });

    it('is served only when its Origin is allow-listed', async () => {
      const key = await store('x');
      for (const site of sites) {
        const options = from(site, { Origin: listed });
        assert.equal((await request('GET', key, options)).status, 200);
        for (const origin of ['null', 'https://other.example', gateway().url]) {
          const refused = from(site, { Origin: origin });
          await problem('GET', key, 403, 'origin-not-allowed', refused);
        }
      }
    });

    it('is checked only by its Origin when it is a preflight', async () => {
      const preflight = { 'Access-Control-Request-Method': 'PUT' };
      for (const site of sites) {
        const { headers } = from(site, { ...preflight, Origin: listed });
        const options = { method: 'OPTIONS', path: '/v1/objects/a', headers };
        assert.equal((await requestRaw(gateway().url, options)).status, 204);
        await problem('OPTIONS', 'a', 405, 'method-not-allowed', from(site, preflight));
        const other = from(site, { ...preflight, Origin: 'https://other.example' });
        await problem('OPTIONS', 'a', 403, 'origin-not-allowed', other);
        // Only OPTIONS is a preflight: any other method may have an effect.
        await problem('GET', 'a', 403, 'origin-not-allowed', from(site, preflight));
      }
    });

    it('is served outside /v1/', async () => {
      for (const path of ['/docs', '/problems', '/openapi.json', '/livez', '/v1x'] as const) {
        const expected = path === '/v1x' ? 404 : 200;
        for (const site of sites) {
          assert.equal((await request('GET', '', from(site), path)).status, expected, path);
        }
      }
    });
  });

  it('requests from pages of the gateway and from programs are served', async () => {
    const key = await store('x');
    for (const site of ['same-origin', 'none']) {
      assert.equal((await request('GET', key, from(site))).status, 200, site);
    }
  });
});
