/** Limits of clients that have certificates and no token. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { requestHead } from '../../helpers/http/raw-connection.ts';
import { type ReadyGateway, startGateway } from '../../helpers/process/gateway.ts';
import { until } from '../../helpers/process/until.ts';
import { certificateFolder, secretVolume } from '../../helpers/tls/certificates.ts';
import { connectTls, requestTls } from '../../helpers/tls/tls-client.ts';

const IN_FLIGHT = 2;

describe('the limits of a client with a certificate', { timeout: 60_000 }, () => {
  const folder = certificateFolder();
  const authority = folder.authority();
  const [first, second] = [authority.client('first'), authority.client('second')];
  let gateway: ReadyGateway;
  before(async () => {
    const secret = secretVolume(folder.path);
    const { cert, key } = authority.server();
    secret.write({ 'tls.crt': cert, 'tls.key': key, 'ca.crt': authority.cert });
    gateway = await startGateway({
      args: [
        ...['--listen', 'tls:127.0.0.1:0'],
        ...['--tls-cert', secret.file('tls.crt'), '--tls-key', secret.file('tls.key')],
        ...['--tls-client-ca', secret.file('ca.crt'), '--client-in-flight', String(IN_FLIGHT)],
        ...['--tls-client-scopes', 'CN=first=read,write;CN=second=read,write'],
      ],
    });
  });
  after(async () => {
    await (gateway as ReadyGateway | undefined)?.kill();
    folder.remove();
  });
  const target = () => ({ port: gateway.port, ca: authority.cert });
  const get = (identity: typeof first, localAddress: string) =>
    requestTls(target(), { path: '/v1/objects/absent', identity, localAddress });

  it('count for its name: not for others at its address, and for all of its addresses', async (t) => {
    const uploads = await Promise.all(
      ['127.0.0.1', '127.0.0.2'].map((localAddress) =>
        connectTls(target(), { identity: first, localAddress }),
      ),
    );
    t.after(() => {
      for (const { socket } of uploads) socket.destroy();
    });
    assert.equal((await get(first, '127.0.0.3')).status, 404, 'no request is in flight');
    assert.notEqual(uploads[0]?.socket.localAddress, uploads[1]?.socket.localAddress);
    uploads.forEach(({ socket }, at) => {
      socket.write(`${requestHead('PUT', `/v1/objects/held-${at}`, { 'Content-Length': 9 })}x`);
    });
    // Each upload counts once its head is read.
    await until(async () => (await get(first, '127.0.0.3')).problem === 'client-busy');
    for (const address of ['127.0.0.1', '127.0.0.3']) {
      assert.equal((await get(first, address)).problem, 'client-busy');
      assert.equal((await get(second, address)).status, 404);
    }
  });
});
