import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { askHealth, awaitServing } from '../../../../src/cli/meta/health.ts';
import { lowestOf } from '../../../helpers/process/lowest.ts';

const servers: net.Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    if (server instanceof http.Server) server.closeAllConnections();
    server.close();
    await once(server, 'close');
  }
});

async function listening(server: net.Server): Promise<string> {
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/health`;
}

const answering = (answer: () => [status: number, body: string]) =>
  listening(
    http.createServer((_request, response) => {
      const [status, body] = answer();
      response.writeHead(status).end(body);
    }),
  );

async function freeUrl(): Promise<string> {
  const url = await answering(() => [200, 'OK']);
  const server = servers.pop();
  server?.close();
  await once(server ?? net.createServer(), 'close');
  return url;
}

describe('the health of the meta service', () => {
  const answers: [status: number, body: string, state: string][] = [
    [200, 'OK', 'serving'],
    [200, '{"status":"ok","role":"master","service_ready":true}', 'serving'],
    [200, '{"status":"ok"}', 'serving'],
    [200, '{"status":"ok","role":"standby","service_ready":false}', 'waiting'],
    [200, '{"service_ready":"false"}', 'waiting'],
    [200, '{"success":false,"error_message":"not yet"}', 'waiting'],
    [404, '', 'waiting'],
    [503, 'OK', 'waiting'],
  ];
  for (const [status, body, state] of answers) {
    it(`is ${state} when the response is ${status} ${JSON.stringify(body)}`, async () => {
      const url = await answering(() => [status, body]);
      assert.equal((await askHealth(url)).state, state);
    });
  }

  it('is silent without a listener, and waiting if the server closes the connection or never finishes', async () => {
    assert.equal((await askHealth(await freeUrl())).state, 'silent');
    const rude = await listening(net.createServer((socket) => socket.destroy()));
    assert.equal((await askHealth(rude)).state, 'waiting');
    const endless = await listening(
      http.createServer((_request, response) => {
        // The callback is called even if the response was destroyed.
        const more = () =>
          response.write('x'.repeat(65_536), (error) => {
            if (!error) setImmediate(more);
          });
        response.once('error', () => {});
        more();
      }),
    );
    assert.deepEqual(await askHealth(endless), {
      state: 'waiting',
      why: 'the response is too long',
    });
  });

  it('is waiting after 2 s if the response arrives byte by byte or has only interim responses', async (t) => {
    /** Sends `first`, then `more` repeatedly. */
    const dripping = (first: string, more: string) =>
      listening(
        net.createServer((socket) => {
          socket.on('error', () => {}).write(first);
          const drip = setInterval(() => socket.write(more), 200);
          t.after(() => clearInterval(drip));
        }),
      );
    const begin = performance.now();
    const healths = await Promise.all([
      dripping('HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n', 'x').then(askHealth),
      dripping('', 'HTTP/1.1 102 Processing\r\n\r\n').then(askHealth),
    ]);
    const late = { state: 'waiting', why: 'no complete response in 2 s' };
    assert.deepEqual(healths, [late, late]);
    assert.ok(performance.now() - begin < 20_000);
  });

  it('is waiting if the response is another protocol, and silent without a URL', async () => {
    const head = 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n';
    const upgrading = await listening(net.createServer((socket) => socket.resume().write(head)));
    assert.deepEqual(await askHealth(upgrading), { state: 'waiting', why: 'it responds with 101' });
    assert.equal((await askHealth('http://[1:2]:8000/health')).state, 'silent');
  });
});

describe('the wait for the meta service', () => {
  it('ends when the service is ready; after a long wait it reports the last state once', async () => {
    let asked = 0;
    const reported: string[] = [];
    const url = await answering(() => {
      asked += 1;
      return asked < 4 ? [503, ''] : [200, 'OK'];
    });
    const serving = await awaitServing({
      url,
      signal: new AbortController().signal,
      warnAfterMs: 0,
      onSlow: (why) => reported.push(why),
    });
    assert.equal(serving, true);
    assert.equal(asked, 4);
    assert.deepEqual(reported, ['it responds with 503']);
  });

  it('reports nothing during a short wait', async () => {
    let asked = 0;
    const url = await answering(() => {
      asked += 1;
      return asked < 2 ? [503, ''] : [200, 'OK'];
    });
    const onSlow = () => assert.fail('too early');
    const { signal } = new AbortController();
    assert.equal(await awaitServing({ url, signal, warnAfterMs: 60_000, onSlow }), true);
  });

  it('ends at once when it is cancelled, also during a request', async () => {
    const onSlow = () => assert.fail('too early');
    // A request that is not cancelled takes 2 s.
    const lowest = await lowestOf(5, 1500, async () => {
      const controller = new AbortController();
      const url = await listening(net.createServer(() => controller.abort()));
      const { signal } = controller;
      const begin = performance.now();
      assert.equal(await awaitServing({ url, signal, warnAfterMs: 60_000, onSlow }), false);
      return performance.now() - begin;
    });
    assert.ok(lowest < 1500, `${lowest} ms`);
  });
});
