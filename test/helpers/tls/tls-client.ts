/** Requests over TLS, with all that a test wants to know of the connection. */
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import https from 'node:https';
import tls from 'node:tls';
import { checkResponse } from '../openapi/openapi.ts';
import type { Identity } from './certificates.ts';

export interface TlsTarget {
  readonly port: number;
  readonly ca: string;
}

export interface TlsAnswer {
  readonly status: number;
  readonly body: Buffer;
  /** The slug of the problem; undefined for a success. */
  readonly problem: string | undefined;
  readonly detail: string | undefined;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

export interface TlsRequest extends tls.ConnectionOptions {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  readonly identity?: Identity;
  /** The address of the client; any of 127.0.0.0/8 works on Linux. */
  readonly localAddress?: string;
  readonly agent?: https.Agent | false;
}

/** Sends one request, by default on a connection of its own; checks the response against openapi.yaml. */
export async function requestTls(
  { port, ca }: TlsTarget,
  { method = 'GET', path = '/readyz', headers = {}, body, identity, ...options }: TlsRequest = {},
): Promise<TlsAnswer> {
  const request = https.request({
    ...{ host: '127.0.0.1', port, ca, method, path, headers: { ...headers } },
    ...{ agent: false as const, servername: 'localhost' },
    ...identity,
    ...options,
  });
  request.end(body);
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  const bytes = Buffer.concat(chunks);
  const status = response.statusCode ?? 0;
  checkResponse({
    ...{ method, path, status, body: bytes },
    headers: response.headers,
  });
  const isProblem = response.headers['content-type'] === 'application/problem+json';
  const problem =
    isProblem && bytes.length > 0
      ? (JSON.parse(bytes.toString()) as { type: string; detail: string })
      : undefined;
  return {
    status,
    body: bytes,
    problem: problem?.type.replace('/problems/', ''),
    detail: problem?.detail,
    headers: response.headers,
  };
}

export interface TlsClient {
  readonly socket: tls.TLSSocket;
  /** The last session ticket that has arrived. */
  session(): Buffer | undefined;
  /** All bytes that have arrived, as latin1. */
  text(): string;
}

export interface ClientOptions extends tls.ConnectionOptions {
  readonly identity?: Identity;
  readonly localAddress?: string;
  /** Keeps reading when the server, or writing when the client, has ended its side. */
  readonly allowHalfOpen?: boolean;
}

/** Opens a connection; resolves when the handshake is done. */
export async function connectTls(
  { port, ca }: TlsTarget,
  options: ClientOptions = {},
): Promise<TlsClient> {
  const { identity, ...others } = options;
  const socket = tls.connect({
    ...{ host: '127.0.0.1', port, ca, servername: 'localhost' },
    ...identity,
    ...others,
  });
  let session: Buffer | undefined;
  let text = '';
  socket.on('session', (ticket: Buffer) => {
    session = ticket;
  });
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
  });
  await once(socket, 'secureConnect');
  socket.on('error', () => undefined);
  return { socket, session: () => session, text: () => text };
}
