/** CORS on a real gateway: what browsers get for pages of allowed and of other origins. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { withBothLanes } from '../../helpers/http/lanes.ts';
import { requestTo } from '../../helpers/http/requests.ts';
import { requestRaw } from '../../helpers/openapi/openapi.ts';
import { startGateway } from '../../helpers/process/gateway.ts';
import { testToken, tokenFolder, writeTokens } from '../../helpers/process/token-files.ts';
import { until } from '../../helpers/process/until.ts';

const listed = 'https://console.example';
const below = 'https://a.tools.example';
const args = ['--allow-origin', `${listed},https://*.tools.example`];
const folder = tokenFolder();
after(() => folder.remove());

/** openapi.yaml does not describe preflights. */
const preflight = (url: string, key: string, headers: Record<string, string>) =>
  requestRaw(url, { method: 'OPTIONS', path: `/v1/objects/${key}`, headers });

const allowedFor = (headers: Readonly<Record<string, string | string[] | undefined>>) =>
  headers['access-control-allow-origin'];
const varies = ({ vary = '' }: { vary?: string | undefined }) =>
  vary.split(', ').includes('Origin');

withBothLanes({ args }, (gateway) => {
  const { request, store, newKey } = requestTo(gateway);
  const asPage = (origin: string, more: Record<string, string> = {}) => ({
    headers: { Origin: origin, 'Sec-Fetch-Site': 'cross-site', ...more },
  });

  describe('a page of an allowed origin', () => {
    it('may read every kind of response', async () => {
      const small = await store('x');
      const large = await store(Buffer.alloc(300_000, 'x'));
      for (const origin of [listed, below]) {
        for (const [method, key, resource, status, options] of [
          ['GET', small, 'objects', 200, {}],
          ['GET', large, 'objects', 200, {}],
          ['HEAD', small, 'objects', 200, {}],
          ['PUT', newKey('page'), 'objects', 201, { body: 'x' }],
          ['GET', newKey('none'), 'objects', 404, {}],
          ['GET', small, 'info', 200, {}],
          ['GET', `${large}?sizes=300000`, 'layers', 200, {}],
          ['GET', '', '/livez', 200, {}],
          ['GET', '', '/v1/nothing', 404, {}],
          ['POST', '', '/v1/batch/get', 415, { body: 'x' }],
        ] as const) {
          const page = asPage(origin, 'body' in options ? { 'Content-Type': 'text/plain' } : {});
          const response = await request(method, key, { ...options, ...page }, resource);
          assert.equal(response.status, status, `${method} ${resource}`);
          assert.equal(allowedFor(response.headers), origin, `${method} ${resource}`);
          assert.ok(varies(response.headers), `${method} ${resource}`);
          const exposed = response.headers['access-control-expose-headers'];
          assert.match(String(exposed), /Retry-After, .*X-Request-Id/);
          assert.equal(response.headers['access-control-allow-credentials'], undefined);
        }
      }
    });

    it('gets the permission for its request before it is sent, and the request has no effect', async () => {
      const key = newKey('preflight');
      for (const method of ['PUT', 'DELETE', 'GET', 'POST']) {
        const page = asPage(below, {
          'Access-Control-Request-Method': method,
          'Access-Control-Request-Headers': 'authorization,content-type',
        });
        const { status, headers, body } = await preflight(gateway().url, key, page.headers);
        assert.equal(status, 204);
        assert.equal(body.length, 0);
        assert.equal(allowedFor(headers), below);
        assert.equal(headers['access-control-allow-methods'], 'GET, HEAD, PUT, POST, DELETE');
        assert.match(
          String(headers['access-control-allow-headers']),
          /Authorization, .*Content-Type/,
        );
        assert.equal(headers['access-control-max-age'], '7200');
        assert.ok(varies(headers));
      }
      assert.equal((await request('GET', key)).status, 404);
    });
  });

  it('another page gets 403 and no header of CORS, also for a preflight', async () => {
    const key = await store('x');
    for (const origin of ['https://tools.example', 'https://evil.example', 'null']) {
      for (const [method, more] of [
        ['GET', {}],
        ['OPTIONS', { 'Access-Control-Request-Method': 'PUT' }],
      ] as const) {
        const { status, headers } = await request(method, key, asPage(origin, more));
        assert.equal(status, 403, `${method} ${origin}`);
        const names = Object.keys(headers).filter((name) => name.startsWith('access-control'));
        assert.deepEqual(names, [], `${method} ${origin}`);
      }
    }
    const { headers } = await request('GET', key);
    assert.equal(allowedFor(headers), undefined);
  });
});

describe('a gateway with tokens', { timeout: 60_000 }, () => {
  it('lets a page read the 401, and permits the request that will have a token', async () => {
    const file = path.join(folder.path, 'tokens.json');
    const { token } = testToken();
    writeTokens(file, [testToken()]);
    const gateway = await startGateway({ args: [...args, '--token-file', file] });
    try {
      const { request } = requestTo(() => gateway);
      const from = { Origin: listed };
      const wrong = { ...from, Authorization: `Bearer ${token}` };
      for (const headers of [from, wrong]) {
        const refused = await request('GET', 'a', { headers });
        assert.equal(refused.status, 401);
        assert.equal(allowedFor(refused.headers), listed);
      }
      const asked = { ...from, 'Access-Control-Request-Method': 'GET' };
      assert.equal((await preflight(gateway.url, 'a', asked)).status, 204);
    } finally {
      await gateway.stop();
    }
  });
});

describe('a gateway without a worker', { timeout: 60_000 }, () => {
  it('lets a page read the 503, and permits its request', async () => {
    const gateway = await startGateway({ args: [...args, '--heartbeat-ms', '0'] });
    try {
      const { request } = requestTo(() => gateway);
      const worker = gateway.workerPid() ?? assert.fail('no worker');
      // While its worker is stopped, the supervisor responds.
      process.kill(worker, 'SIGSTOP');
      const headers = { Origin: listed, Connection: 'close' };
      const ask = () => request('GET', 'a', { headers });
      await until(async () => (await ask()).status === 503);
      assert.equal(allowedFor((await ask()).headers), listed);
      const asked = { ...headers, 'Access-Control-Request-Method': 'GET' };
      const permitted = await preflight(gateway.url, 'a', asked);
      assert.equal(permitted.status, 204);
      assert.equal(allowedFor(permitted.headers), listed);
    } finally {
      await gateway.kill();
    }
  });
});
