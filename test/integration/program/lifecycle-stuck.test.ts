/** A worker that is alive but does nothing, because SIGSTOP has stopped it. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { afterEach, describe, it } from 'node:test';
import { connectRaw, requestHead, slugOf } from '../../helpers/http/raw-connection.ts';
import { fetchChecked } from '../../helpers/openapi/openapi.ts';
import { type ReadyGateway, startGateway } from '../../helpers/process/gateway.ts';
import { metricsOf } from '../../helpers/process/metrics.ts';
import { until } from '../../helpers/process/until.ts';

const gateways: ReadyGateway[] = [];
afterEach(async () => {
  for (const gateway of gateways.splice(0)) await gateway.kill();
});

async function startStopped() {
  const gateway = await startGateway();
  gateways.push(gateway);
  const worker = gateway.workerPid() ?? assert.fail('no worker');
  process.kill(worker, 'SIGSTOP');
  return { gateway, port: gateway.port, wake: () => process.kill(worker, 'SIGCONT') };
}

/** Sends a request on its own connection, as a probe does. */
const ask = (url: string) =>
  fetchChecked(url, { headers: { connection: 'close' }, signal: AbortSignal.timeout(15_000) });

const up = 'memcache_gateway_worker_up{device="0"}';

describe('a worker that is stuck', () => {
  it('does not stop the supervisor from responding, and gets connections again once it continues', async () => {
    const { gateway, wake } = await startStopped();
    const { url } = gateway;
    const [live, ready, metrics, object] = await Promise.all(
      ['/livez', '/readyz', '/metrics', '/v1/objects/a'].map((path) => ask(url + path)),
    );
    assert.equal(live?.status, 200);
    assert.equal(ready?.status, 503);
    assert.equal(ready.headers.get('retry-after'), '2');
    assert.match(await ready.text(), /"The worker of device 0 does not respond; try again\."/);
    assert.equal(object?.status, 503);
    assert.equal(metrics?.status, 200);
    const samples = await metricsOf(url);
    assert.equal(samples.get(up), 0);
    assert.equal(samples.has('memcache_gateway_arena_bytes{state="used"}'), false);
    wake();
    await until(async () => (await ask(`${url}/readyz`)).status === 200);
    assert.equal((await metricsOf(url)).get(up), 1);
    assert.equal((await gateway.stop()).code, 0);
    assert.equal(gateway.stderr(), '');
  });

  it('neither reads from nor writes to a connection that the supervisor has revoked', async () => {
    const { gateway, port, wake } = await startStopped();
    const inner = `${requestHead('PUT', '/v1/objects/inner', { 'Content-Length': 1 })}x`;
    const { send, next, closed, destroy } = await connectRaw(port);
    // A worker that reads on after the response would find a request in place of the body.
    send(requestHead('PUT', '/v1/objects/outer', { 'Content-Length': inner.length }));
    const answer = await next({ method: 'PUT', path: '/v1/objects/outer' });
    assert.equal(slugOf(answer), 'not-ready');
    wake();
    await until(async () => (await ask(`${gateway.url}/readyz`)).status === 200);
    send(inner);
    assert.equal((await closed()).rest.toString(), '');
    destroy();
    for (const key of ['inner', 'outer']) {
      assert.equal((await ask(`${gateway.url}/v1/objects/${key}`)).status, 404);
    }
  });

  it('is stopped with the gateway, which responds to waiting clients during the shutdown', async () => {
    const { gateway, port, wake } = await startStopped();
    const descriptors = () => readdirSync(`/proc/${gateway.pid}/fd`).length;
    const before = descriptors();
    const { send, next, destroy } = await connectRaw(port);
    send(requestHead('GET', '/v1/objects/a'));
    // Wait until the connection is accepted: a closing listener resets the others.
    await until(() => descriptors() > before);
    gateway.signal('SIGTERM');
    assert.equal(slugOf(await next({ path: '/v1/objects/a' })), 'not-ready');
    destroy();
    wake();
    assert.deepEqual(await gateway.ended, { code: 0, signal: null });
  });
});
