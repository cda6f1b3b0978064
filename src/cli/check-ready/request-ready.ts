/** One request for `/readyz` of a listener, from the host or the container of the gateway. */
import http from 'node:http';
import https from 'node:https';
import { type ListenAddress, schemeOf, writeListenAddress } from '../../config/listen.ts';

export interface Readiness {
  readonly ready: boolean;
  /** One line for the operator. */
  readonly text: string;
}

/** Less than the timeout of a health check of a container, which is 5 s in the Dockerfile. */
const responseMs = 4000;
const maxBodyBytes = 64 * 1024;

/** Never rejects. A response that takes longer than 4 s counts as not ready. */
export function requestReady(place: ListenAddress): Promise<Readiness> {
  return new Promise((resolve) => {
    const where = writeListenAddress(place);
    const settle = (ready: boolean, text: string) => {
      clearTimeout(deadline);
      request.destroy();
      resolve({ ready, text: `${where}: ${text}` });
    };
    const fail = ({ message, code }: NodeJS.ErrnoException) =>
      settle(false, message || (code ?? 'cannot be reached'));
    const request = send(place);
    const deadline = setTimeout(
      () => settle(false, `no response within ${responseMs / 1000} s`),
      responseMs,
    );
    request.on('error', fail);
    request.once('response', (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('error', fail);
      response.on('data', (chunk: string) => {
        body += chunk;
        if (body.length > maxBodyBytes) settle(false, 'the response is no /readyz of a gateway');
      });
      response.once('end', () => {
        const ready = response.statusCode === 200;
        settle(ready, ready ? 'ready' : `${response.statusCode} ${reasonIn(body)}`.trimEnd());
      });
    });
  });
}

/** The name of the certificate is not verified: the request stays on this host and carries no secret. */
function send(place: ListenAddress): http.ClientRequest {
  // A gateway accepts the name localhost whatever --allow-host is.
  const common = { path: '/readyz', agent: false as const, headers: { Host: 'localhost' } };
  if ('path' in place) return http.get({ ...common, socketPath: place.path });
  const { host, port } = place;
  const target = { ...common, host: localOf(host), port };
  if (schemeOf(place) !== 'tls') return http.get(target);
  return https.get({ ...target, servername: '', rejectUnauthorized: false });
}

/** No client connects to "every address". */
function localOf(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  return host === '::' ? '::1' : host;
}

/** The detail of a problem. */
function reasonIn(body: string): string {
  try {
    const { detail } = JSON.parse(body) as { detail?: unknown };
    return typeof detail === 'string' ? detail : '';
  } catch {
    return '';
  }
}
