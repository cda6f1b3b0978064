import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import net, { type AddressInfo, type Server } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { createConnectionServer } from '../../../../src/http/connection/connection-server.ts';
import {
  createLiveConnections,
  type LiveConnections,
} from '../../../../src/http/connection/live-connections.ts';
import { probeFeatures } from '../../../helpers/process/node-features.ts';
import { until } from '../../../helpers/process/until.ts';

describe('a drain', () => {
  it('waits for a connection that is still arriving, and lets its request finish', async (t) => {
    let arriving = 1;
    let looks = 0;
    const server = createServer((_req, res) => res.end('served'));
    const connections = createLiveConnections({
      server,
      inFlight: () => 0,
      arriving() {
        looks += 1;
        return arriving;
      },
    });
    const listener = net.createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
    await once(listener, 'listening');
    t.after(() => listener.close());
    const accepting = once(listener, 'connection') as Promise<[net.Socket]>;
    const client = net.connect((listener.address() as AddressInfo).port, '127.0.0.1');
    t.after(() => client.destroy());
    const [accepted] = await accepting;
    assert.equal(connections.count, 1);
    let hasEnded = false;
    const drained = connections.drain(60_000).finally(() => {
      hasEnded = true;
    });
    await until(() => hasEnded || looks > 20);
    assert.equal(hasEnded, false);
    arriving = 0;
    connections.accept(accepted);
    accepted.resume();
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    const [answer] = (await once(client, 'data')) as [Buffer];
    assert.match(answer.toString(), /^HTTP\/1\.1 200 /);
    assert.equal(await drained, true);
    await until(() => connections.count === 0);
  });
});

const LINGER_MS = 300;

const untilClosed = async (client: net.Socket): Promise<void> => {
  if (!client.closed) await new Promise((resolve) => client.once('close', resolve));
};

describe('a drain with a client that was refused and goes on sending', { timeout: 60_000 }, () => {
  let connections: LiveConnections;
  let listener: Server;
  before(async () => {
    await probeFeatures();
    const server = createConnectionServer({ idleTimeoutMs: 30_000 });
    server.on('request', (_req, res) => {
      res.writeHead(401, { Connection: 'close' }).end();
    });
    connections = createLiveConnections({ server, inFlight: () => 0, arriving: () => 0 });
    listener = net.createServer({ allowHalfOpen: true }, (socket) => connections.accept(socket));
    listener.listen(0, '127.0.0.1');
    await once(listener, 'listening');
  });
  after(() => {
    connections.destroyAll();
    listener.close();
  });

  /** A client that has its response and sends a byte now and then, until its connection closes. */
  async function refusedClient(): Promise<net.Socket> {
    const { port } = listener.address() as AddressInfo;
    const client = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    client.on('error', () => undefined);
    client.write('PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n');
    const [response] = (await once(client, 'data')) as [Buffer];
    assert.match(response.toString(), /^HTTP\/1\.1 401 /);
    const sending = setInterval(() => client.write('x'), 20);
    client.once('close', () => clearInterval(sending));
    return client;
  }

  it('waits for it, but not until the deadline, and cuts nothing off', async () => {
    const client = await refusedClient();
    const startedMs = performance.now();
    assert.equal(await connections.drain(50_000, LINGER_MS), true);
    const tookMs = performance.now() - startedMs;
    assert.ok(tookMs >= LINGER_MS, `${tookMs} ms`);
    assert.ok(tookMs < 20_000, `${tookMs} ms`);
    await untilClosed(client);
  });

  it('has also drained if the deadline comes first, since every response is sent', async () => {
    const client = await refusedClient();
    assert.equal(await connections.drain(50, 50_000), true);
    await untilClosed(client);
  });
});
