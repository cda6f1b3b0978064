/** Clients that read over TLS slowly: what they get, and what they cost. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import tls from 'node:tls';
import { requestHead } from '../../helpers/http/raw-connection.ts';
import { anonymousBytes } from '../../helpers/memory/process-memory.ts';
import { type ReadyGateway, startGateway } from '../../helpers/process/gateway.ts';
import { certificateFolder } from '../../helpers/tls/certificates.ts';
import { requestTls } from '../../helpers/tls/tls-client.ts';

const mebibyte = 1 << 20;
const folder = certificateFolder();
const ca = folder.authority();
let gateway: ReadyGateway;
before(async () => {
  const { cert, key } = ca.server();
  const [certFile, keyFile] = ['cert', 'key'].map((name) => path.join(folder.path, `${name}.pem`));
  writeFileSync(String(certFile), cert);
  writeFileSync(String(keyFile), key, { mode: 0o600 });
  gateway = await startGateway({
    args: [
      ...['--listen', 'tls:127.0.0.1:0', '--tls-cert', `${certFile}`, '--tls-key', `${keyFile}`],
      ...['--pool-bytes', '512MiB', '--arena-bytes', '256MiB', '--max-object-bytes', '256MiB'],
      ...['--min-rate-bytes', '0', '--idle-timeout-ms', '2000'],
    ],
  });
});
after(async () => {
  await gateway.kill();
  folder.remove();
});

const target = () => ({ port: gateway.port, ca: ca.cert });

/** Reads a whole response, at most `chunkBytes` in each `everyMs`; `look` is called each time. */
async function readSlowly(key: string, chunkBytes: number, everyMs: number, look: () => void) {
  const socket = tls.connect({ host: '127.0.0.1', ...target(), servername: 'localhost' });
  await once(socket, 'secureConnect');
  socket.on('readable', () => undefined);
  let received = 0;
  const pace = setInterval(() => {
    look();
    const bytes = Math.min(chunkBytes, Math.max(1, socket.readableLength));
    received += (socket.read(bytes) as Buffer | null)?.length ?? 0;
  }, everyMs);
  socket.write(requestHead('GET', `/v1/objects/${key}`, { Connection: 'close' }));
  await once(socket, 'end');
  clearInterval(pace);
  return received;
}

describe('a slow reader over TLS', () => {
  it('of 200 MB costs at most 8 MiB beyond the arena', async () => {
    const size = 200_000_000;
    const object = { path: '/v1/objects/large' };
    const put = { ...object, method: 'PUT', body: Buffer.alloc(size, 7) };
    assert.equal((await requestTls(target(), put)).status, 201);
    // Touches the part of the arena that the next read uses.
    for (let reads = 0; reads < 2; reads += 1) {
      assert.equal((await requestTls(target(), object)).body.length, size);
    }
    const worker = gateway.workerPid();
    const before = anonymousBytes(worker);
    let most = 0;
    let looks = 0;
    const received = await readSlowly('large', mebibyte, 10, () => {
      looks += 1;
      if (looks % 5 === 0) most = Math.max(most, anonymousBytes(worker));
    });
    assert.ok(received > size);
    assert.ok(looks > 100, `${looks} looks`);
    const more = (most - before) / mebibyte;
    assert.ok(more <= 8, `${more.toFixed(1)} MiB more than ${(before / mebibyte).toFixed(0)} MiB`);
  });

  it('gets a whole object, though each megabyte takes longer than the idle timeout', async () => {
    const size = 6 * mebibyte;
    const put = { path: '/v1/objects/small', method: 'PUT', body: Buffer.alloc(size, 7) };
    assert.equal((await requestTls(target(), put)).status, 201);
    const received = await readSlowly('small', 10_000, 25, () => undefined);
    assert.ok(received > size, `${received} of ${size} bytes, and a head`);
  });
});
