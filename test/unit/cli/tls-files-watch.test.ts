import assert from 'node:assert/strict';
import { after, afterEach, describe, it } from 'node:test';
import { TlsFilesWatch } from '../../../src/cli/tls-files-watch.ts';
import { silentLog } from '../../../src/log/waiting-log.ts';
import type { TlsMaterial } from '../../../src/tls/material.ts';
import { readTlsFiles } from '../../../src/tls/tls-files.ts';
import { until } from '../../helpers/process/until.ts';
import { certificateFolder, secretVolume } from '../../helpers/tls/certificates.ts';

const folder = certificateFolder();
const [ca, otherCa] = [folder.authority(), folder.authority()];
const watches: TlsFilesWatch[] = [];
after(() => folder.remove());
afterEach(() => {
  for (const watch of watches.splice(0)) watch.end();
});

async function follow(options: { ticketKeyMs?: number } = {}) {
  const secret = secretVolume(folder.path);
  const server = ca.server();
  const write = (clientCa: string, { cert, key } = server) =>
    secret.write({ cert, key, ca: clientCa });
  write(ca.cert);
  const paths = {
    cert: secret.file('cert'),
    key: secret.file('key'),
    clientCa: secret.file('ca'),
  };
  const files = await readTlsFiles(paths);
  assert('texts' in files);
  const applied: TlsMaterial[] = [];
  const apply = (material: TlsMaterial) => void applied.push(material);
  const watch = new TlsFilesWatch({ paths, files, apply, log: silentLog, pollMs: 5, ...options });
  watches.push(watch);
  return { watch, applied, write };
}

describe('the key of the session tickets', () => {
  it('has 48 bytes, and stays when the certificate changes', async () => {
    const { watch, applied, write } = await follow();
    const { ticketKeys, sessionIdContext } = watch.material;
    assert.equal(Buffer.from(ticketKeys, 'base64').length, 48);
    const next = ca.server();
    write(ca.cert, next);
    await until(() => applied.length === 1);
    assert.equal(applied[0]?.cert, next.cert);
    assert.equal(applied[0]?.ticketKeys, ticketKeys);
    assert.equal(applied[0]?.sessionIdContext, sessionIdContext);
  });

  it('changes with the client CA, since sessions remember verified certificates', async () => {
    const { watch, applied, write } = await follow();
    const { ticketKeys } = watch.material;
    write(otherCa.cert);
    await until(() => applied.length === 1);
    assert.equal(applied[0]?.clientCa, otherCa.cert);
    assert.notEqual(applied[0]?.ticketKeys, ticketKeys);
  });

  it('is rotated while the files stay', async () => {
    const { watch, applied } = await follow({ ticketKeyMs: 20 });
    const { ticketKeys, cert } = watch.material;
    await until(() => applied.length >= 2);
    const keys = new Set([ticketKeys, ...applied.map((material) => material.ticketKeys)]);
    assert.equal(keys.size, applied.length + 1);
    assert.ok(applied.every((material) => material.cert === cert));
  });
});
