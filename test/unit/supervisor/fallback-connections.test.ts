import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { after, before, describe, it } from 'node:test';
import { Access } from '../../../src/http/security/access.ts';
import { ok } from '../../../src/supervisor/fallback-responses.ts';
import { FallbackServer } from '../../../src/supervisor/fallback-server.ts';
import { listen, type TcpListener } from '../../../src/supervisor/listeners/listener.ts';

const MAX_CONNECTIONS = 3;

describe('the connections of a fallback server with a limit', () => {
  let server: FallbackServer;
  let listener: TcpListener;
  before(async () => {
    const places = { host: '127.0.0.1', port: 0, listen: [], protect: [], tlsClientScopes: [] };
    server = new FallbackServer({
      access: new Access(places, null),
      allowHosts: [],
      allowOrigins: [],
      trustedProxy: [],
      proxyProtocol: false,
      idleTimeoutMs: 30_000,
      maxConnections: MAX_CONNECTIONS,
      respond: ({ requestId }) => Promise.resolve(ok('text/plain', 'live\n', requestId)),
      onResponse: () => {},
    });
    listener = await listen({ host: '127.0.0.1', address: '127.0.0.1', port: 0 }, (socket) =>
      server.accept(socket),
    );
  });
  after(() => listener.close());

  /** A client that is accepted, and sends nothing. */
  async function silentClient(): Promise<net.Socket> {
    const accepted = server.connections;
    const socket = net.connect(listener.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.resume();
    await once(socket, 'connect');
    while (accepted < MAX_CONNECTIONS && server.connections === accepted) {
      await new Promise(setImmediate);
    }
    return socket;
  }

  it('close the oldest one for a new one, so that silent clients keep no probe out', async () => {
    const silent: net.Socket[] = [];
    for (let n = 0; n < MAX_CONNECTIONS; n += 1) silent.push(await silentClient());
    assert.equal(server.connections, MAX_CONNECTIONS);
    const closed = silent.map((socket) => once(socket, 'close').then(() => socket));
    const probe = net.connect(listener.port, '127.0.0.1');
    let response = '';
    probe.on('data', (chunk: Buffer) => (response += chunk.toString('latin1')));
    probe.write('GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await once(probe, 'close');
    assert.match(response, /^HTTP\/1\.1 200 OK\r\n.*live\n$/s);
    assert.equal(await Promise.race(closed), silent[0]);
    assert.deepEqual(
      silent.map(({ destroyed }) => destroyed),
      [true, false, false],
    );
    for (const socket of silent) socket.destroy();
    await Promise.all(closed);
    while (server.connections > 0) await new Promise(setImmediate);
  });
});
