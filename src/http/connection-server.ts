import { createServer, type Server, type ServerOptions } from 'node:http';
import { startConnectionChecks } from '../node-internals/connection-checks.ts';
import { allowHalfOpen } from '../node-internals/half-open.ts';
import { trackResponses } from '../node-internals/pending-responses.ts';
import { lingerClose } from './linger.ts';

/** All headers of a request together, in bytes; more gets 431. */
const MAX_HEADER_BYTES = 16 * 1024;

/**
 * A node:http server for connections that were accepted elsewhere. A worker has one, and so has the
 * supervisor for the time without a worker: both understand and refuse the same bytes.
 */
export function createConnectionServer(
  options: { idleTimeoutMs: number } & Pick<ServerOptions, 'keepAliveTimeout'>,
): Server {
  const { idleTimeoutMs, ...others } = options;
  const connectionsCheckingInterval = Math.min(1000, Math.max(10, idleTimeoutMs / 4));
  const server = createServer({
    // Ours is told as a problem, Node's is an empty 400.
    requireHostHeader: false,
    // Of two Hosts the second would be lost otherwise, and who refuses the request must see it.
    joinDuplicateHeaders: true,
    // A large upload may take long; slow ones are cut off by the transfer watch.
    requestTimeout: 0,
    headersTimeout: idleTimeoutMs,
    connectionsCheckingInterval,
    maxHeaderSize: MAX_HEADER_BYTES,
    ...others,
  });
  // Those past a number would be lost; their bytes are bounded.
  server.maxHeadersCount = 0;
  // node:http calls this behind the last response of a connection, and would close it at once.
  server.on('connection', (socket) => {
    socket.destroySoon = () => lingerClose(socket);
  });
  trackResponses(server);
  allowHalfOpen(server);
  startConnectionChecks(server);
  return server;
}
