/** Certificates of tests, made with openssl: no private key is in the repository. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** A certificate and its private key, in PEM. */
export interface Identity {
  readonly cert: string;
  readonly key: string;
}

/** An authority that signs certificates. */
export interface Authority extends Identity {
  /** For a server of this machine, which clients reach by `localhost` and 127.0.0.1. */
  server(options?: SignOptions): Identity;
  client(commonName: string, options?: SignOptions): Identity;
}

export interface SignOptions {
  /** Until the certificate expires; default 30. Negative for one that has expired. */
  readonly days?: number;
}

export interface CertificateFolder {
  readonly path: string;
  authority(name?: string): Authority;
  remove(): void;
}

/** A temporary folder in which openssl works. */
export function certificateFolder(): CertificateFolder {
  const folder = mkdtempSync(path.join(tmpdir(), 'certificates-'));
  let made = 0;
  const openssl = (...args: readonly string[]): string =>
    execFileSync('openssl', args, { cwd: folder, encoding: 'utf8', stdio: 'pipe' });
  const newKey = (): string => {
    made += 1;
    openssl(
      'genpkey',
      '-algorithm',
      'EC',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-out',
      `${made}.key`,
    );
    return `${made}`;
  };
  const identity = (name: string): Identity => ({
    cert: readFileSync(path.join(folder, `${name}.pem`), 'utf8'),
    key: readFileSync(path.join(folder, `${name}.key`), 'utf8'),
  });

  function authority(commonName = 'Test CA'): Authority {
    const ca = newKey();
    const subject = ['-subj', `/CN=${commonName} ${ca}`, '-days', '30'];
    openssl('req', '-x509', '-new', '-key', `${ca}.key`, ...subject, '-out', `${ca}.pem`);
    const sign = (subjectName: string, extension: string, { days = 30 }: SignOptions = {}) => {
      const name = newKey();
      writeFileSync(path.join(folder, `${name}.ext`), extension);
      openssl(
        'req',
        '-new',
        '-key',
        `${name}.key`,
        '-subj',
        `/CN=${subjectName}`,
        '-out',
        `${name}.csr`,
      );
      openssl(
        ...['x509', '-req', '-in', `${name}.csr`, '-CA', `${ca}.pem`, '-CAkey', `${ca}.key`],
        ...[
          '-CAcreateserial',
          '-days',
          `${days}`,
          '-extfile',
          `${name}.ext`,
          '-out',
          `${name}.pem`,
        ],
      );
      return identity(name);
    };
    return {
      ...identity(ca),
      server: (options) => sign('gateway', 'subjectAltName=DNS:localhost,IP:127.0.0.1\n', options),
      client: (name, options) => sign(name, 'extendedKeyUsage=clientAuth\n', options),
    };
  }

  return {
    path: folder,
    authority,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** A folder of files as Kubernetes mounts a secret: all files change together, by a swap of `..data`. */
export interface SecretVolume {
  /** The path of a file, which stays. */
  file(name: string): string;
  /** Replaces the content of all files at once. */
  write(files: Readonly<Record<string, string>>, mode?: number): void;
}

export function secretVolume(parent: string): SecretVolume {
  const folder = mkdtempSync(path.join(parent, 'secret-'));
  let version = 0;
  const linked = new Set<string>();
  return {
    file: (name) => path.join(folder, name),
    write(files, mode = 0o600) {
      version += 1;
      const data = mkdtempSync(path.join(folder, `..${version}-`));
      for (const [name, text] of Object.entries(files)) {
        writeFileSync(path.join(data, name), text, { mode });
        if (!linked.has(name)) symlinkSync(`..data/${name}`, path.join(folder, name));
        linked.add(name);
      }
      symlinkSync(path.basename(data), path.join(folder, '..data_tmp'));
      renameSync(path.join(folder, '..data_tmp'), path.join(folder, '..data'));
    },
  };
}
