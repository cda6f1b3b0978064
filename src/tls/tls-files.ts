/** The files of TLS: the certificate, its private key, and the authorities of clients. */
import { createPrivateKey, type X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import {
  type FileFaults,
  type FileStatus,
  octalMode,
  quoted,
  readCheckedFile,
} from '../files/read-file.ts';
import { certificatesIn } from './certificates.ts';

/** The paths of `--tls-cert`, `--tls-key` and `--tls-client-ca`. */
export interface TlsPaths {
  readonly cert: string;
  readonly key: string;
  readonly clientCa: string | undefined;
}

/** The content of the files, in PEM. */
export interface TlsTexts {
  readonly cert: string;
  readonly key: string;
  readonly clientCa: string | null;
}

export interface SoundTlsFiles {
  readonly texts: TlsTexts;
  /** When the first certificate of the chain that is sent to clients expires, in milliseconds since 1970. */
  readonly expiresMs: number;
  /** Each names the file. */
  readonly warnings: readonly string[];
}

export type TlsFilesReading = SoundTlsFiles | FileFaults;

const MAX_BYTES = 1024 * 1024;

/**
 * Why a file with this status may not hold a private key; undefined if it may. The group may read it:
 * that is how Debian's group ssl-cert and secrets of Kubernetes give a key to a service.
 */
export function keyModeFault(file: string, { mode }: Pick<FileStatus, 'mode'>): string | undefined {
  if ((mode & 0o037) === 0) return undefined;
  return `${file}: users other than its owner and the readers of its group may access it (mode ${octalMode({ mode })}); run chmod 640 ${quoted(file)}, or chmod 600`;
}

/** Reads and checks all files together: a certificate is of no use without its own key. */
export async function readTlsFiles(paths: TlsPaths, nowMs = Date.now()): Promise<TlsFilesReading> {
  const none = Promise.resolve(undefined);
  const [cert, key, clientCa] = await Promise.all([
    readCheckedFile(paths.cert, { maxBytes: MAX_BYTES }),
    readCheckedFile(paths.key, { maxBytes: MAX_BYTES, statusFault: keyModeFault }),
    paths.clientCa === undefined ? none : readCheckedFile(paths.clientCa, { maxBytes: MAX_BYTES }),
  ]);
  const failed = [cert, key, clientCa].filter((read) => read !== undefined && 'faults' in read);
  if ('faults' in cert || 'faults' in key || (clientCa !== undefined && 'faults' in clientCa)) {
    return {
      faults: failed.flatMap(({ faults }) => faults),
      isMissing: failed.some(({ isMissing }) => isMissing),
      isUnread: failed.some(({ isUnread }) => isUnread === true),
    };
  }
  const texts: TlsTexts = {
    cert: cert.bytes.toString('latin1'),
    key: key.bytes.toString('latin1'),
    clientCa: clientCa?.bytes.toString('latin1') ?? null,
  };
  return checkTexts(paths, texts, nowMs);
}

function checkTexts(paths: TlsPaths, texts: TlsTexts, nowMs: number): TlsFilesReading {
  const chain = certificatesOf(texts.cert);
  const authorities = texts.clientCa === null ? [] : certificatesOf(texts.clientCa);
  const faults = [
    ...(typeof chain === 'string' ? [`${paths.cert}: ${chain}`] : []),
    ...(typeof authorities === 'string' ? [`${paths.clientCa}: ${authorities}`] : []),
  ];
  const [own] = typeof chain === 'string' ? [] : chain;
  const keyFault = faultOfKey(paths, texts.key, own);
  if (keyFault !== undefined) faults.push(keyFault);
  if (faults.length === 0) faults.push(...faultsOfContext(paths, texts));
  if (faults.length > 0 || own === undefined || typeof authorities === 'string') {
    return { faults, isMissing: false };
  }
  const warnings = [
    ...validityWarnings(paths.cert, own, nowMs),
    ...authorities.flatMap((authority) => validityWarnings(`${paths.clientCa}`, authority, nowMs)),
  ];
  return { texts, expiresMs: Date.parse(own.validTo), warnings };
}

/** All certificates of a PEM text, or its fault. */
function certificatesOf(text: string): X509Certificate[] | string {
  try {
    const certificates = certificatesIn(text);
    if (certificates.length > 0) return certificates;
    return 'has no certificate in PEM (-----BEGIN CERTIFICATE-----); openssl x509 -inform DER -in FILE converts one from DER';
  } catch {
    return 'has a certificate that cannot be read; check it with openssl x509 -noout -text -in FILE';
  }
}

/** No fault repeats a part of the key. */
function faultOfKey(
  paths: TlsPaths,
  text: string,
  certificate: X509Certificate | undefined,
): string | undefined {
  if (!text.includes('PRIVATE KEY-----')) {
    return `${paths.key}: has no private key in PEM (-----BEGIN PRIVATE KEY-----)`;
  }
  if (/BEGIN ENCRYPTED PRIVATE KEY|^Proc-Type: 4,ENCRYPTED/m.test(text)) {
    return `${paths.key}: has a passphrase, which the gateway cannot ask for; remove it with openssl pkey -in FILE -out NEWFILE`;
  }
  try {
    const key = createPrivateKey(text);
    if (certificate === undefined || certificate.checkPrivateKey(key)) return undefined;
    return `${paths.key}: does not belong to the first certificate of ${paths.cert}; give the key of that certificate, and put that certificate before those of its authorities`;
  } catch {
    return `${paths.key}: has a private key that cannot be read; check it with openssl pkey -noout -in FILE`;
  }
}

/** What only OpenSSL finds, such as a key that is too short. */
function faultsOfContext(paths: TlsPaths, { cert, key, clientCa }: TlsTexts): string[] {
  try {
    createSecureContext({ cert, key, ...(clientCa === null ? {} : { ca: clientCa }) });
    return [];
  } catch (error) {
    const { reason, message } = error as Error & { reason?: string };
    return [`${paths.cert}: OpenSSL refuses it together with its key: ${reason ?? message}`];
  }
}

function validityWarnings(file: string, certificate: X509Certificate, nowMs: number): string[] {
  const until = Date.parse(certificate.validTo);
  const time = (ms: number): string => new Date(ms).toISOString();
  if (nowMs >= until) {
    return [`${file}: the certificate has expired at ${time(until)}; clients refuse it. Renew it`];
  }
  if (nowMs < Date.parse(certificate.validFrom)) {
    return [
      `${file}: the certificate is valid only from ${time(Date.parse(certificate.validFrom))} on; clients refuse it until then. Check the clock of this machine`,
    ];
  }
  return [];
}
