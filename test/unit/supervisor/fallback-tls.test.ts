import assert from 'node:assert/strict';
import net from 'node:net';
import { after, before, describe, it } from 'node:test';
import { TlsConnections } from '../../../src/http/connection/tls-connections.ts';
import { Access } from '../../../src/http/security/access.ts';
import { emptyHistory } from '../../../src/messages/history.ts';
import { noteTls } from '../../../src/messages/listening.ts';
import { fallbackResponse } from '../../../src/supervisor/fallback-responses.ts';
import { FallbackServer } from '../../../src/supervisor/fallback-server.ts';
import { listen, type TcpListener } from '../../../src/supervisor/listeners/listener.ts';
import { newTicketKeys } from '../../../src/tls/material.ts';
import { PROXY_ADDRESS, portOf, startProxy } from '../../helpers/http/proxy.ts';
import { until } from '../../helpers/process/until.ts';
import { certificateFolder } from '../../helpers/tls/certificates.ts';
import { connectTls, requestTls } from '../../helpers/tls/tls-client.ts';

const folder = certificateFolder();
const [ca, clientCa] = [folder.authority(), folder.authority()];
const material = { ...ca.server(), clientCa: clientCa.cert, ...newTicketKeys() };
const clients = [
  { device: 3, serviceId: null, state: 'starting', pid: 7, restarts: 1, uptimeMs: 5 },
] as const;
const faults: string[] = [];
let listener: TcpListener;
let fallback: FallbackServer;
before(async () => {
  const tlsClientScopes = [{ name: 'admin', scopes: ['admin'] as const }];
  const config = { host: '127.0.0.1', port: 0, listen: [], protect: [], tlsClientScopes };
  fallback = new FallbackServer({
    access: new Access(config, null, clientCa.cert),
    allowHosts: [],
    allowOrigins: [],
    trustedProxy: [PROXY_ADDRESS],
    proxyProtocol: true,
    idleTimeoutMs: 30_000,
    tls: { material, TlsConnections },
    respond: (request, guards) =>
      fallbackResponse(request, guards, {
        unavailability: () => ({ detail: 'It is starting.', retryAfterSeconds: 3 }),
        metricsText: () => Promise.reject(new Error('no metrics')),
        report: () => ({ ready: false, detail: '', clients }),
        history: () => emptyHistory,
      }),
    onResponse: () => undefined,
    onHandshakeFault: (fault) => faults.push(fault),
  });
  const where = { host: '127.0.0.1', address: '127.0.0.1', port: 0 };
  listener = await listen(where, (socket) => {
    noteTls(socket);
    fallback.accept(socket);
  });
});
after(() => {
  listener.close();
  folder.remove();
});
const target = () => ({ port: listener.port, ca: ca.cert });

describe('the fallback server on a listener with TLS', () => {
  it('responds behind the header of a proxy, however the handshake arrives', async (t) => {
    for (const cut of [0, 20, 28]) {
      const proxy = await startProxy(listener.port, 7, cut);
      t.after(() => proxy.close());
      const answer = await requestTls({ port: portOf(proxy), ca: ca.cert }, { path: '/livez' });
      assert.equal(answer.status, 200);
    }
  });

  it('responds over TLS, and judges client certificates as a worker does', async () => {
    const identity = clientCa.client('admin');
    assert.equal((await requestTls(target(), { path: '/livez' })).status, 200);
    const refused = await requestTls(target(), { path: '/v1/clients' });
    assert.equal(refused.problem, 'certificate-required');
    assert.equal((await requestTls(target(), { path: '/v1/clients', identity })).status, 200);
    const object = await requestTls(target(), { path: '/v1/objects/a', identity });
    assert.equal(object.status, 503);
    assert.equal(object.problem, 'not-ready');
  });

  it('reports a handshake that fails, with its reason, and none that succeeds', async () => {
    assert.deepEqual(faults, []);
    const socket = net.connect(listener.port, '127.0.0.1');
    socket.on('error', () => undefined).resume();
    socket.end('GET /livez HTTP/1.1\r\n\r\n');
    await until(() => faults.length > 0);
    assert.deepEqual(faults, ['plain_http']);
  });

  it('uses the same sessions as every other process with the same material', async () => {
    const client = await connectTls(target());
    await until(() => client.session() !== undefined);
    client.socket.destroy();
    fallback.setTls({ ...material });
    const session = client.session();
    const again = await connectTls(target(), { ...(session && { session }) });
    assert.ok(again.socket.isSessionReused());
    again.socket.destroy();
    fallback.setTls({ ...material, ...newTicketKeys() });
    const later = await connectTls(target(), { ...(session && { session }) });
    assert.equal(later.socket.isSessionReused(), false);
    later.socket.destroy();
    await until(() => fallback.connections === 0);
  });
});
