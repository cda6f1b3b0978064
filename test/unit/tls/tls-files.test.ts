import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { keyModeFault, readTlsFiles, type TlsPaths } from '../../../src/tls/tls-files.ts';
import { certificateFolder } from '../../helpers/tls/certificates.ts';

const folder = certificateFolder();
after(() => folder.remove());
const ca = folder.authority();
const [server, other] = [ca.server(), ca.server()];

let files = 0;
function fileOf(text: string, mode = 0o600): string {
  files += 1;
  const file = path.join(folder.path, `file-${files}.pem`);
  writeFileSync(file, text, { mode });
  return file;
}
const sound = (changes: Partial<TlsPaths> = {}): TlsPaths => ({
  cert: fileOf(server.cert, 0o644),
  key: fileOf(server.key),
  clientCa: fileOf(ca.cert, 0o644),
  ...changes,
});
async function faultsOf(changes: Partial<TlsPaths>): Promise<readonly string[]> {
  const read = await readTlsFiles(sound(changes));
  return 'faults' in read ? read.faults : [];
}
async function warningsOf(changes: Partial<TlsPaths>, nowMs?: number): Promise<string> {
  const read = await readTlsFiles(sound(changes), nowMs);
  assert('warnings' in read, JSON.stringify(read));
  return read.warnings.join('\n');
}

describe('the files of TLS', () => {
  it('are a certificate with its chain, its key, and authorities of clients', async () => {
    const read = await readTlsFiles(sound({ cert: fileOf(server.cert + ca.cert) }));
    assert('texts' in read, JSON.stringify(read));
    assert.equal(read.texts.cert, server.cert + ca.cert);
    assert.equal(read.texts.clientCa, ca.cert);
    assert.deepEqual(read.warnings, []);
    assert.ok(read.expiresMs > Date.now());
    const without = await readTlsFiles(sound({ clientCa: undefined }));
    assert('texts' in without);
    assert.equal(without.texts.clientCa, null);
  });

  it('are refused with the way to correct each fault', async () => {
    const missing = path.join(folder.path, 'missing');
    const encrypted = execFileSync('openssl', ['pkey', '-aes256', '-passout', 'pass:abcd'], {
      input: other.key,
      encoding: 'utf8',
    });
    const cases: readonly (readonly [Partial<TlsPaths>, RegExp])[] = [
      [{ cert: missing }, /missing: does not exist/],
      [{ key: folder.path }, /is not a file/],
      [{ clientCa: missing }, /missing: does not exist/],
      [{ cert: fileOf('') }, /has no certificate in PEM/],
      [{ cert: fileOf(server.key) }, /has no certificate in PEM/],
      [
        { clientCa: fileOf('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n') },
        /cannot be read; check it with openssl x509/,
      ],
      [{ key: fileOf(server.cert) }, /has no private key in PEM/],
      [
        { key: fileOf('-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n') },
        /cannot be read; check it with openssl pkey/,
      ],
      [{ key: fileOf(encrypted) }, /has a passphrase.*openssl pkey/],
      [{ key: fileOf(other.key) }, /does not belong to the first certificate of /],
      [{ cert: fileOf(ca.cert + server.cert) }, /does not belong to the first certificate of /],
      [{ key: fileOf(server.key, 0o644) }, /mode 0644\); run chmod 640 .*file-/],
      [{ cert: fileOf(`${server.cert}${'#'.repeat(1024 * 1024)}`) }, /is larger than 1MiB/],
    ];
    for (const [changes, expected] of cases) {
      const faults = await faultsOf(changes);
      assert.equal(faults.length, 1, `${expected}: ${faults.join('\n')}`);
      assert.match(faults[0] ?? '', expected);
    }
    assert.equal((await faultsOf({ cert: missing, key: missing, clientCa: missing })).length, 3);
  });

  it('with an expired certificate, or one that is not valid yet, get a warning', async () => {
    assert.equal(await warningsOf({}), '');
    const { cert, key } = ca.server({ days: -1 });
    const expired = { cert: fileOf(cert), key: fileOf(key) };
    assert.match(await warningsOf(expired), /has expired at .*Renew it/);
    assert.match(await warningsOf({}, 0), /is valid only from .* on; clients refuse it until then/);
  });
});

describe('the file of a private key', () => {
  it('may be read by its owner and its group, and written by its owner alone', () => {
    for (const mode of [0o400, 0o600, 0o440, 0o640]) {
      assert.equal(keyModeFault('k', { mode: 0o100_000 | mode }), undefined);
    }
    for (const mode of [0o604, 0o620, 0o610, 0o602, 0o601, 0o644, 0o666, 0o777]) {
      assert.match(keyModeFault('a k', { mode }) ?? '', /run chmod 640 'a k', or chmod 600/);
    }
  });

  it('is judged by the mode that it has when it is read', async () => {
    const key = fileOf(server.key, 0o640);
    assert.deepEqual(await faultsOf({ key }), []);
    chmodSync(key, 0o660);
    assert.equal((await faultsOf({ key })).length, 1);
  });
});
