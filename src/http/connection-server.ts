import { createServer, type Server, type ServerOptions } from 'node:http';

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
  const server = createServer({
    // Ours is told as a problem, Node's is an empty 400.
    requireHostHeader: false,
    // Of two Hosts the second would be lost otherwise, and who refuses the request must see it.
    joinDuplicateHeaders: true,
    // A large upload may take long; slow ones are cut off by the transfer watch.
    requestTimeout: 0,
    headersTimeout: idleTimeoutMs,
    connectionsCheckingInterval: Math.min(1000, Math.max(10, idleTimeoutMs / 4)),
    maxHeaderSize: MAX_HEADER_BYTES,
    ...others,
  });
  // Those past a number would be lost; their bytes are bounded.
  server.maxHeadersCount = 0;
  // A client may end its side before it has the answer. Not in the types, nor documented.
  (server as { httpAllowHalfOpen?: boolean }).httpAllowHalfOpen = true;
  // It never listens by itself, and node:http begins to watch over idle connections and slow heads
  // when it does.
  server.emit('listening');
  return server;
}
