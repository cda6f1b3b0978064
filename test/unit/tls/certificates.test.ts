import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { after, describe, it } from 'node:test';
import { certificatesIn, leadsTo } from '../../../src/tls/certificates.ts';
import { certificateFolder } from '../../helpers/tls/certificates.ts';

/** A certificate as Node shows it for a peer that has sent the other one behind it. */
function sentWith(pem: string, behind: X509Certificate): X509Certificate {
  const certificate = new X509Certificate(pem);
  return Object.defineProperty(certificate, 'issuerCertificate', { value: behind });
}

describe('the chain of a client certificate', () => {
  const folders = [certificateFolder(), certificateFolder()] as const;
  after(() => {
    for (const folder of folders) folder.remove();
  });
  // A new key, and the same name.
  const [old, renewed] = [folders[0].authority(), folders[1].authority()];
  const [oldCa, newCa] = [new X509Certificate(old.cert), new X509Certificate(renewed.cert)];
  const client = old.client('trainer').cert;

  it('leads to the authority that has signed it, and to no other', () => {
    assert.equal(oldCa.subject, newCa.subject);
    assert.equal(leadsTo(new X509Certificate(client), certificatesIn(old.cert)), true);
    assert.equal(leadsTo(new X509Certificate(client), certificatesIn(renewed.cert)), false);
    assert.equal(leadsTo(sentWith(client, oldCa), certificatesIn(renewed.cert)), false);
  });

  it('does not lead to a new authority whose certificate the client has sent behind its own', () => {
    assert.equal(leadsTo(sentWith(client, newCa), certificatesIn(renewed.cert)), false);
  });
});
