/** Connections of a trusted proxy that begin with a header of the PROXY protocol; this test plays the proxy. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { describe, it } from 'node:test';
import { withGateway } from '../../helpers/http/lanes.ts';
import { PROXY_ADDRESS, proxyHeader } from '../../helpers/http/proxy.ts';
import { connectRaw, requestHead } from '../../helpers/http/raw-connection.ts';
import { requestTo } from '../../helpers/http/requests.ts';
import { untilIdle } from '../../helpers/process/metrics.ts';
import { until } from '../../helpers/process/until.ts';

const options = {
  args: [
    ...['--trusted-proxy', PROXY_ADDRESS, '--proxy-protocol', '--idle-timeout-ms', '1000'],
    ...['--client-in-flight', '1', '--access-log'],
  ],
};

withGateway(options, (gateway) => {
  const connect = () => connectRaw(gateway().port, PROXY_ADDRESS);
  const get = (path: string) => ({ method: 'GET', path });
  const { store } = requestTo(gateway);

  describe('a connection of a trusted proxy', () => {
    it('is served behind its header, however the bytes arrive', async () => {
      const size = 300_000;
      const path = `/v1/objects/${await store(Buffer.alloc(size, 7))}`;
      const whole = Buffer.concat([proxyHeader(1), Buffer.from(requestHead('GET', path))]);
      for (const cut of [0, 1, 12, 16, 27, 28, 29, whole.length]) {
        const connection = await connect();
        for (const piece of [whole.subarray(0, cut), whole.subarray(cut)]) {
          connection.send(piece);
          await new Promise((resolve) => connection.socket.write('', resolve));
        }
        assert.equal((await connection.next(get(path))).body.length, size, `cut at ${cut}`);
        connection.send(requestHead('GET', path));
        assert.equal((await connection.next(get(path))).body.length, size);
        connection.destroy();
      }
    });

    it('may upload an object right behind its header', async () => {
      const body = Buffer.alloc(3 << 20, 1);
      const path = '/v1/objects/behind-a-header';
      const head = requestHead('PUT', path, { 'Content-Length': body.length });
      const connection = await connect();
      connection.send(Buffer.concat([proxyHeader(1), Buffer.from(head), body]));
      assert.equal((await connection.next({ method: 'PUT', path })).status, 201);
      connection.destroy();
    });

    it('is one of the client that the header names, in limits and in the log', async () => {
      const upload = requestHead('PUT', '/v1/objects/slow', { 'Content-Length': 10 });
      const held = await connect();
      held.send(Buffer.concat([proxyHeader(7), Buffer.from(upload)]));
      const path = '/v1/objects/missing';
      const status = async (last: number): Promise<number> => {
        const connection = await connect();
        // The client is no trusted proxy, so its X-Forwarded-For does not count.
        const head = requestHead('GET', path, { 'X-Forwarded-For': '9.9.9.9' });
        connection.send(Buffer.concat([proxyHeader(last), Buffer.from(head)]));
        const answer = await connection.next(get(path));
        connection.destroy();
        return answer.status;
      };
      await until(async () => (await status(7)) === 429);
      assert.equal(await status(8), 404);
      held.destroy();
      await until(async () => (await status(7)) === 404);
      const clients = gateway()
        .logged()
        .map((line) => line['client']);
      assert.ok(clients.includes('10.0.0.7'));
      assert.ok(clients.includes('10.0.0.8'));
      assert.ok(!clients.includes('9.9.9.9'));
      await untilIdle(gateway().url);
    });

    it('is closed without a response if its header is malformed, or missing', async () => {
      for (const bytes of ['GET /livez HTTP/1.1\r\nHost: x\r\n\r\n', 'PROXY UNKNOWN\r\n']) {
        const connection = await connect();
        connection.send(bytes);
        assert.equal((await connection.closed()).rest.length, 0, bytes);
      }
    });

    it('is closed if its header is not complete in time, or the proxy ends before', async () => {
      const late = await connect();
      late.send(proxyHeader(1).subarray(0, 27));
      assert.equal((await late.closed()).rest.length, 0);
      const ended = await connect();
      ended.send(proxyHeader(1).subarray(0, 27));
      ended.socket.end();
      assert.equal((await ended.closed()).rest.length, 0);
    });
  });

  describe('a connection of another program', () => {
    it('is served without a header, and refused with one', async () => {
      assert.equal((await fetch(`${gateway().url}/livez`)).status, 200);
      const socket = net.connect(gateway().port, '127.0.0.1');
      socket.write(proxyHeader(1));
      const [chunk] = (await once(socket, 'data')) as [Buffer];
      assert.match(chunk.toString('latin1'), /^HTTP\/1\.1 400 /);
      socket.destroy();
    });
  });
});
