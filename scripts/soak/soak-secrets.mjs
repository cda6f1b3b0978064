/** The certificates and tokens of the soak run, and their rotation. */
import { X509Certificate } from 'node:crypto';
import path from 'node:path';
import tls from 'node:tls';
import { authorization, testToken, writeTokens } from '../../test/helpers/process/token-files.ts';
import { certificateFolder, secretVolume } from '../../test/helpers/tls/certificates.ts';

export function createSecrets() {
  const folder = certificateFolder();
  const authority = folder.authority();
  const volume = secretVolume(folder.path);
  const tokenFile = path.join(folder.path, 'tokens.json');
  const newToken = () => testToken({ scopes: ['read', 'write'] });
  let [next, current] = [newToken(), newToken()];
  let former = current;
  let serial = '';
  const writeToken = () => writeTokens(tokenFile, [next, current]);
  const rotateCertificate = () => {
    const { cert, key } = authority.server();
    serial = certificateName(cert);
    volume.write({ 'tls.crt': cert, 'tls.key': key });
  };
  writeToken();
  rotateCertificate();
  return {
    flags: [
      ...['--token-file', tokenFile],
      ...['--tls-cert', volume.file('tls.crt'), '--tls-key', volume.file('tls.key')],
    ],
    ca: authority.cert,
    /** The headers of a request; the gateway has known this token since the rotation before. */
    credentials: () => authorization(current.token),
    /** The token before the last rotation, which the gateway must refuse. */
    revoked: () => authorization(former.token),
    rotateToken() {
      [former, current, next] = [current, next, newToken()];
      writeToken();
    },
    rotateCertificate,
    /** Whether a new connection gets the newest certificate. */
    isServed: (port) =>
      new Promise((resolve) => {
        const target = { port, host: '127.0.0.1', servername: 'localhost', ca: authority.cert };
        const socket = tls.connect(target, () => {
          const { serialNumber } = socket.getPeerCertificate();
          socket.destroy();
          resolve(serialNumber === serial);
        });
        socket.on('error', () => resolve(false));
      }),
    remove: () => folder.remove(),
  };
}

const certificateName = (cert) => new X509Certificate(cert).serialNumber;
