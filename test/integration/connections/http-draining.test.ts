import assert from 'node:assert/strict';
import net from 'node:net';
import { describe, it } from 'node:test';
import { connectRaw, requestHead, slugOf } from '../../helpers/http/raw-connection.ts';
import { requestTo } from '../../helpers/http/requests.ts';
import { type ReadyGateway, startGateway } from '../../helpers/process/gateway.ts';
import { metricsOf, requestsInFlight } from '../../helpers/process/metrics.ts';
import { until } from '../../helpers/process/until.ts';

/** Sends SIGTERM and waits until the supervisor logs it; the worker may be notified a moment later. */
async function beginStop(gateway: ReadyGateway): Promise<void> {
  gateway.signal('SIGTERM');
  await until(() => gateway.logged().some(({ msg }) => String(msg).startsWith('stopping')));
}

/** The same, and waits until the worker drains: a draining worker first closes idle connections. */
async function beginDrain(gateway: ReadyGateway): Promise<void> {
  const idle = await connectRaw(gateway.port);
  idle.send(requestHead('GET', '/livez'));
  assert.equal((await idle.next({ path: '/livez' })).status, 200);
  await beginStop(gateway);
  await idle.closed();
  idle.destroy();
}

describe('while a gateway drains', () => {
  it('pages and operations close their connections too', async (t) => {
    const gateway = await startGateway();
    t.after(() => gateway.kill());
    const holder = await connectRaw(gateway.port);
    holder.send(
      requestHead('PUT', '/v1/objects/a', { 'Content-Length': 1, Expect: '100-continue' }),
    );
    assert.equal((await holder.next()).status, 100);
    const paths = ['/docs', '/openapi.json', '/openapi.yaml', '/problems', '/livez', '/v1/info/b'];
    const open = await Promise.all(
      paths.map(async (path) => {
        const connection = await connectRaw(gateway.port);
        // A request has begun, so the connection is not idle.
        connection.send(requestHead('GET', '/livez') + requestHead('GET', path).slice(0, -2));
        assert.equal((await connection.next({ path: '/livez' })).status, 200);
        return { path, connection };
      }),
    );
    await beginDrain(gateway);
    for (const { path, connection } of open) {
      connection.send('\r\n');
      const answer = await connection.next({ path });
      assert.equal(answer.headers['connection'], 'close', path);
      assert.equal((await connection.closed()).reset, false, path);
      connection.destroy();
    }
    holder.send('x');
    assert.equal((await holder.next({ method: 'PUT', path: '/v1/objects/a' })).status, 201);
    holder.destroy();
    assert.deepEqual(await gateway.ended, { code: 0, signal: null });
  });

  it('small responses reach a client that has not read them yet', async (t) => {
    const gateway = await startGateway();
    t.after(() => gateway.kill());
    const key = await requestTo(() => gateway).store('x'.repeat(10_000));
    const socket = net.connect(gateway.port, '127.0.0.1').pause();
    const count = 2_000;
    socket.write(requestHead('GET', `/v1/objects/${key}`).repeat(count));
    // The buffers of both sockets are full when the gateway sends no further response.
    const sent = async () => {
      const now = await metricsOf(gateway.url);
      return now.get(
        'http_server_request_duration_seconds_count{http_request_method="GET",http_route="/v1/objects/{key}",http_response_status_code="200"}',
      );
    };
    let last: number | undefined;
    await until(async () => {
      const before = last;
      last = await sent();
      return last !== undefined && last === before;
    });
    assert.ok((last ?? 0) < count, 'the answers fit the buffers of the kernel');
    assert.equal((await metricsOf(gateway.url)).get(requestsInFlight), 1);
    await beginStop(gateway);
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    const ended = new Promise((resolve, reject) => {
      socket.once('end', resolve).once('error', reject);
    });
    socket.resume();
    await ended;
    socket.destroy();
    const answers = Buffer.concat(chunks).toString('latin1').split('HTTP/1.1 200 OK\r\n').slice(1);
    assert.ok(answers.length >= (last ?? 0), `${answers.length} of ${last}`);
    for (const answer of answers) assert.equal(answer.split('\r\n\r\n')[1]?.length, 10_000);
    assert.deepEqual(await gateway.ended, { code: 0, signal: null });
  });

  it('a client may go on sending a refused upload until it has read the response', async (t) => {
    const gateway = await startGateway({ args: ['--max-object-bytes', '1MiB'] });
    t.after(() => gateway.kill());
    const { send, next, socket, closed, destroy } = await connectRaw(gateway.port);
    const path = '/v1/objects/large';
    send(requestHead('PUT', path, { 'Content-Length': 64 * 2 ** 20 }));
    const answer = await next({ method: 'PUT', path });
    assert.equal(slugOf(answer), 'object-too-large');
    await beginStop(gateway);
    const mebibyte = Buffer.alloc(2 ** 20);
    for (let at = 0; at < 64; at++) {
      await new Promise<void>((resolve, reject) => {
        socket.write(mebibyte, (error) => (error ? reject(error) : resolve()));
      });
    }
    assert.equal((await closed()).reset, false);
    destroy();
    assert.deepEqual(await gateway.ended, { code: 0, signal: null });
  });

  it('connections without a complete request do not delay it', async (t) => {
    const gateway = await startGateway();
    t.after(() => gateway.kill());
    const [silent, half] = [await connectRaw(gateway.port), await connectRaw(gateway.port)];
    half.send(requestHead('GET', '/livez').slice(0, -2));
    const asking = await connectRaw(gateway.port);
    asking.send(requestHead('GET', '/livez'));
    assert.equal((await asking.next({ path: '/livez' })).status, 200);
    await beginStop(gateway);
    assert.deepEqual(await gateway.ended, { code: 0, signal: null });
    for (const connection of [silent, half, asking]) {
      await connection.closed();
      connection.destroy();
    }
  });
});
