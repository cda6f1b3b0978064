import { X509Certificate } from 'node:crypto';

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;
/** More certificates than a chain has. */
const MAX_CHAIN = 10;

/** All certificates of a PEM text. @throws when one cannot be read */
export const certificatesIn = (text: string): X509Certificate[] =>
  (text.match(PEM_CERTIFICATE) ?? []).map((block) => new X509Certificate(block));

/**
 * Whether the chain of a certificate, as its peer has sent it, ends at one of the authorities. Each link must have
 * signed the one before it: Node finds the links by their names, and an old and a new authority may have the same.
 */
export function leadsTo(
  certificate: X509Certificate,
  authorities: readonly X509Certificate[],
): boolean {
  let link = certificate;
  for (let length = 0; length < MAX_CHAIN; length += 1) {
    const each = link;
    const isSigned = authorities.some(
      (authority) => each.checkIssued(authority) && each.verify(authority.publicKey),
    );
    if (isSigned) return true;
    const issuer: X509Certificate | undefined = each.issuerCertificate;
    if (issuer === undefined || issuer.fingerprint256 === each.fingerprint256) return false;
    if (!issuer.ca || !each.verify(issuer.publicKey)) return false;
    link = issuer;
  }
  return false;
}
