/** A worker that lives and does nothing: stopped by a signal, which is as stuck as one can be. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { afterEach, describe, it } from 'node:test';
import { type ReadyGateway, startGateway } from '../helpers/gateway.ts';
import { metricsOf } from '../helpers/metrics.ts';
import { fetchChecked } from '../helpers/openapi.ts';
import { connectRaw, requestHead, slugOf } from '../helpers/raw-connection.ts';
import { until } from '../helpers/until.ts';

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

/** On a connection of its own, as a probe asks. */
const ask = (url: string) =>
  fetchChecked(url, { headers: { connection: 'close' }, signal: AbortSignal.timeout(15_000) });

const up = 'memcache_gateway_worker_up{device="0"}';

describe('a worker that is stuck', () => {
  it('does not keep its supervisor from answering, nor from handing over once it wakes', async () => {
    const { gateway, wake } = await startStopped();
    const { url } = gateway;
    const [live, ready, metrics, object] = await Promise.all(
      ['/livez', '/readyz', '/metrics', '/v1/objects/a'].map((path) => ask(url + path)),
    );
    assert.equal(live?.status, 200);
    assert.equal(ready?.status, 503);
    assert.equal(ready.headers.get('retry-after'), '2');
    assert.match(await ready.text(), /"The worker of device 0 does not answer; try again\."/);
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

  it('finds a connection that was taken back, and neither reads from it nor writes to it', async () => {
    const { gateway, port, wake } = await startStopped();
    const inner = `${requestHead('PUT', '/v1/objects/inner', { 'Content-Length': 1 })}x`;
    const { send, next, closed, destroy } = await connectRaw(port);
    // Whoever reads behind the answer finds a request in the place of the body.
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

  it('is stopped with the gateway, which then answers those who come meanwhile', async () => {
    const { gateway, port, wake } = await startStopped();
    const descriptors = () => readdirSync(`/proc/${gateway.pid}/fd`).length;
    const before = descriptors();
    const { send, next, destroy } = await connectRaw(port);
    send(requestHead('GET', '/v1/objects/a'));
    // Accepted: a listener that closes breaks what it has not.
    await until(() => descriptors() > before);
    gateway.signal('SIGTERM');
    assert.equal(slugOf(await next({ path: '/v1/objects/a' })), 'not-ready');
    destroy();
    wake();
    assert.deepEqual(await gateway.ended, { code: 0, signal: null });
  });
});
