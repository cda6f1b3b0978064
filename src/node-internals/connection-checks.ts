import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { nodeFeature } from './node-features.ts';
import { pendingResponses } from './pending-responses.ts';
import { streamPair } from './stream-pair.ts';

const feature = nodeFeature('connection-checks');

/**
 * Starts the check of a server that never listens: a request head that takes longer than
 * `headersTimeout` is a `clientError`. node:http starts its own when a server begins to listen. The
 * server must track its responses (pending-responses.ts).
 */
export function startConnectionChecks(server: Server, intervalMs: number): void {
  if (feature.enabled) pretendToListen(server);
  else checkHeads(server, intervalMs);
}

/** Connections of servers that check heads with documented means, which node:http does not list. */
const checked = new WeakMap<Server, Map<Socket, Connection>>();

/** Closes the connections that have no request in progress, as `server.closeIdleConnections` does. */
export function closeIdleConnections(server: Server): void {
  const connections = checked.get(server);
  if (connections === undefined) {
    server.closeIdleConnections();
    return;
  }
  for (const [socket, { headSinceMs, bytesRead }] of connections) {
    const isIdle = headSinceMs === undefined && socket.bytesRead <= bytesRead;
    if (isIdle && pendingResponses(socket).length === 0) socket.destroy();
  }
}

function pretendToListen(server: Server): void {
  server.emit('listening');
}

interface Connection {
  /** When its head began, in milliseconds; undefined while no head is being received. */
  headSinceMs: number | undefined;
  /** Bytes that had been read when the last response was sent. */
  bytesRead: number;
}

/**
 * The same check with documented means. The first head of a connection begins when it connects, as
 * for node:http; a later one when a byte behind the last response has been seen.
 */
function checkHeads(server: Server, intervalMs: number): void {
  const connections = new Map<Socket, Connection>();
  checked.set(server, connections);
  server.on('connection', (socket: Socket) => {
    connections.set(socket, { headSinceMs: performance.now(), bytesRead: 0 });
    socket.once('close', () => connections.delete(socket));
  });
  server.on('connect', ({ socket }: IncomingMessage) => connections.delete(socket));
  const begin = ({ socket }: IncomingMessage, res: ServerResponse): void => {
    const connection = connections.get(socket);
    if (connection === undefined) return;
    connection.headSinceMs = undefined;
    res.once('close', () => {
      connection.bytesRead = socket.bytesRead;
    });
  };
  for (const event of ['request', 'checkContinue', 'checkExpectation']) server.on(event, begin);
  const isExpired = (socket: Socket, connection: Connection, nowMs: number): boolean => {
    if (pendingResponses(socket).length > 0) return false;
    if (connection.headSinceMs === undefined && socket.bytesRead > connection.bytesRead) {
      connection.headSinceMs = nowMs;
    }
    const { headSinceMs = nowMs } = connection;
    return nowMs - headSinceMs > server.headersTimeout;
  };
  const check = (): void => {
    const nowMs = performance.now();
    for (const [socket, connection] of connections) {
      if (!isExpired(socket, connection, nowMs)) continue;
      connections.delete(socket);
      const error = Object.assign(new Error('Request timeout'), { code: TIMEOUT_CODE });
      server.emit('clientError', error, socket);
    }
  };
  const timer = setInterval(check, intervalMs).unref();
  server.once('close', () => clearInterval(timer));
}

const TIMEOUT_CODE = 'ERR_HTTP_REQUEST_TIMEOUT';

/** A head that never ends must be found on a connection of the probe's own. */
export async function probeConnectionChecks(): Promise<void> {
  const [inside, outside] = streamPair();
  const server = createServer({
    headersTimeout: 1,
    requestTimeout: 0,
    connectionsCheckingInterval: 2,
  });
  try {
    const found = new Promise<{ code?: string }>((resolve) => {
      server.once('clientError', resolve);
    });
    pretendToListen(server);
    server.emit('connection', inside);
    outside.write('GET / HTTP/1.1\r\n');
    const { code } = await found;
    if (code !== TIMEOUT_CODE) throw new Error(`a slow head was found as ${String(code)}`);
  } finally {
    inside.destroy();
    outside.destroy();
    server.emit('close');
    // Ends node:http's own interval.
    server.close();
  }
}
