import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Config } from '../config/config.ts';
import { handleConnections } from '../http/connection/connection-handler.ts';
import { createConnectionServer } from '../http/connection/connection-server.ts';
import type { RequestServer } from './request-server.ts';

/** The server of node:http for the connections of a worker, with TLS or without. */
export function createHttpServer(
  { idleTimeoutMs, keepAliveMs: keepAliveTimeout }: Pick<Config, 'idleTimeoutMs' | 'keepAliveMs'>,
  requests: RequestServer,
  isTls: boolean,
): Server {
  const server = createConnectionServer({ idleTimeoutMs, keepAliveTimeout, isTls });
  handleConnections(server, requests);
  limitSilence(server, requests, 2 * idleTimeoutMs);
  return server;
}

/**
 * Closes a connection on which no byte has moved for `timeoutMs`, unless a request is being served:
 * transfers have limits of their own. A small response that waits in the socket for a slow reader has no other limit.
 * A slow head gets its 408 first, from `headersTimeout`.
 */
function limitSilence(server: Server, requests: RequestServer, timeoutMs: number): void {
  server.timeout = timeoutMs;
  server.on('timeout', (socket: Socket) => {
    if (requests.isServing(socket)) socket.setTimeout(timeoutMs);
    else socket.destroy();
  });
}
