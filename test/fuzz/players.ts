/** Plays valid requests on kept connections, and raw bytes on one connection each. */
import { once } from 'node:events';
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import net from 'node:net';
import tls from 'node:tls';
import { checkResponse } from '../helpers/openapi/openapi.ts';
import type { RawGame } from './raw-bytes.ts';
import type { FuzzRequest } from './valid-requests.ts';

const HANG_MS = 60_000;
/** Refusals that the documentation explains with the load or with the request, and not with a fault. */
const DOCUMENTED_5XX: ReadonlySet<number> = new Set([501, 503, 505, 507]);

export interface Target {
  readonly port: number;
  /** The authority of its certificate; undefined without TLS. */
  readonly ca: string | undefined;
}

export interface Players {
  /** Rejects when the response is not one that openapi.yaml describes, or is a fault of the gateway. */
  valid(request: FuzzRequest): Promise<number>;
  /** Returns the statuses of the responses. Rejects when the connection hangs, or after a fault. */
  raw(game: RawGame): Promise<readonly number[]>;
  close(): void;
}

export function createPlayers({ port, ca }: Target): Players {
  const at = { host: '127.0.0.1', port };
  const agent =
    ca === undefined
      ? new http.Agent({ keepAlive: true })
      : new https.Agent({ keepAlive: true, ca, servername: 'localhost' });
  const send = ca === undefined ? http.request : https.request;

  async function valid({ method, path, headers, body }: FuzzRequest): Promise<number> {
    const length = body === undefined ? {} : { 'Content-Length': String(body.length) };
    const options = { ...at, agent, method, path, headers: { ...headers, ...length } };
    const request = send({ ...options, timeout: HANG_MS });
    request.once('timeout', () => request.destroy(new Error(`no response in ${HANG_MS} ms`)));
    request.end(body);
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    const { statusCode: status = 0 } = response;
    checkResponse({ method, path, status, headers: response.headers, body: Buffer.concat(chunks) });
    refuseFaults([status], `${method} ${path}`);
    return status;
  }

  async function raw({ bytes, finish }: RawGame): Promise<readonly number[]> {
    const socket =
      ca === undefined
        ? net.connect({ ...at, allowHalfOpen: true })
        : tls.connect({ ...at, ca, servername: 'localhost' });
    let text = '';
    const closed = new Promise<void>((resolve, reject) => {
      socket.setTimeout(HANG_MS, () => {
        socket.destroy();
        reject(new Error(`the connection hangs after ${JSON.stringify(bytes.toString('latin1'))}`));
      });
      socket.on('error', () => undefined).on('close', () => resolve());
    });
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      text += chunk;
      if (finish === 'leave') socket.destroy();
    });
    if (finish === 'end') socket.end(bytes);
    else socket.write(bytes, () => (finish === 'reset' ? reset(socket) : socket.end()));
    await closed;
    // No value and no message of the game contains a status line.
    const statuses = [...text.matchAll(/HTTP\/1\.1 (\d{3}) [A-Z]/g)].map(([, status]) =>
      Number(status),
    );
    refuseFaults(statuses, JSON.stringify(bytes.toString('latin1').slice(0, 3000)));
    return statuses;
  }

  return { valid, raw, close: () => agent.destroy() };
}

function refuseFaults(statuses: readonly number[], what: string): void {
  const fault = statuses.find((status) => status >= 500 && !DOCUMENTED_5XX.has(status));
  if (fault !== undefined) throw new Error(`status ${fault} after ${what}`);
}

function reset(socket: net.Socket): void {
  if (socket instanceof tls.TLSSocket) socket.destroy();
  else socket.resetAndDestroy();
}
