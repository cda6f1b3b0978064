import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';
import { withGateway } from '../../helpers/http/lanes.ts';
import { onConnection, requestHead } from '../../helpers/http/raw-connection.ts';
import { requestTo } from '../../helpers/http/requests.ts';
import { startGateway } from '../../helpers/process/gateway.ts';
import { metric, requestsInFlight } from '../../helpers/process/metrics.ts';
import { until } from '../../helpers/process/until.ts';

const expect = { Expect: '100-continue' };

for (const args of [[], ['--disable-node-features', 'one-write']]) {
  const features = args.length === 0 ? 'the default Node features' : 'one-write disabled';
  withGateway({ args }, (gateway) => {
    const { store } = requestTo(gateway);

    describe(`a request that expects 100-continue without a body, with ${features}`, () => {
      it('gets its response without a 100, and the connection stays open', async () => {
        const small = `/v1/objects/${await store('x')}`;
        const large = `/v1/objects/${await store(Buffer.alloc(3_000_000))}`;
        const absent = `/v1/objects/${randomUUID()}`;
        await onConnection(gateway().port, async ({ send, next }) => {
          for (const [method, path, status, headers] of [
            ['GET', small, 200, {}],
            ['HEAD', small, 200, {}],
            ['GET', large, 200, {}],
            ['GET', absent, 404, {}],
            ['PUT', absent, 422, { 'Content-Length': 0 }],
            ['DELETE', absent, 404, {}],
            ['GET', '/livez', 200, {}],
            ['GET', '/openapi.json', 200, {}],
            ['GET', '/nowhere', 404, {}],
          ] as const) {
            send(requestHead(method, path, { ...headers, ...expect }));
            const answer = await next({ method, path });
            assert.equal(answer.status, status, `${method} ${path}`);
            assert.equal(answer.headers['connection'], 'keep-alive', `${method} ${path}`);
            assert.equal(answer.headers['keep-alive'], 'timeout=75', `${method} ${path}`);
          }
        });
      });

      it('closes the connection when its headers request it', async () => {
        for (const headers of [
          { Connection: 'close' },
          { Connection: 'Upgrade', Upgrade: 'h2c' },
        ] as Record<string, string>[]) {
          await onConnection(gateway().port, async ({ send, next, closed }) => {
            send(requestHead('GET', '/livez', { ...headers, ...expect }));
            const answer = await next({ path: '/livez' });
            assert.equal(answer.status, 200);
            assert.equal(answer.headers['connection'], 'close');
            assert.equal((await closed()).reset, false);
          });
        }
      });
    });
  });

  it(`a request that expects 100-continue closes the connection of a draining gateway, with ${features}`, async (t) => {
    const gateway = await startGateway({ args });
    t.after(() => gateway.kill());
    await onConnection(gateway.port, async (holder) => {
      holder.send(requestHead('PUT', '/v1/objects/a', { 'Content-Length': 1 }));
      await until(async () => (await metric(gateway.url, requestsInFlight)) === 2);
      await onConnection(gateway.port, async ({ send, next, closed }) => {
        gateway.signal('SIGTERM');
        await until(() => gateway.logged().some(({ msg }) => String(msg).startsWith('stopping')));
        let connection: string | undefined;
        while (connection !== 'close') {
          send(requestHead('GET', '/livez', expect));
          connection = (await next({ path: '/livez' })).headers['connection'];
        }
        assert.equal((await closed()).reset, false);
      });
      holder.send('x');
      const { status } = await holder.next({ method: 'PUT', path: '/v1/objects/a' });
      assert.equal(status, 201);
    });
    assert.deepEqual(await gateway.ended, { code: 0, signal: null });
  });
}
