import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Expectation } from '../security/head.ts';
import type { ClientError } from './client-error.ts';

/** Handles the requests and errors on the connections of a server. */
export interface ConnectionHandler {
  /** A request whose head is complete. No 100 has been sent, whatever the client expects. */
  request(req: IncomingMessage, res: ServerResponse, expectation: Expectation): void;
  /** A CONNECT, for which node:http makes no response. */
  connect(req: IncomingMessage): void;
  /** Bytes that are not an HTTP request, or a failed connection. */
  clientError(error: ClientError, socket: Socket): void;
}

/** Passes every event of a server that concerns requests to one handler. */
export function handleConnections(server: Server, handler: ConnectionHandler): void {
  server.on('request', (req, res) => handler.request(req, res, 'none'));
  server.on('checkContinue', (req, res) => handler.request(req, res, 'continue'));
  server.on('checkExpectation', (req, res) => handler.request(req, res, 'unknown'));
  server.on('connect', (req) => handler.connect(req));
  server.on('clientError', (error: ClientError, socket) => {
    if (socket instanceof Socket) handler.clientError(error, socket);
    else socket.destroy();
  });
}
