import { createServer, type Server, type ServerOptions } from 'node:http';
import { startConnectionChecks } from '../../node-internals/connection-checks.ts';
import { allowHalfOpen } from '../../node-internals/half-open.ts';
import { closeConnections } from '../../node-internals/linger-close.ts';
import { trackResponses } from '../../node-internals/pending-responses.ts';
import { lingerBeforeEnd, lingerClose } from './linger.ts';

/** All headers of a request together, in bytes; more gets 431. */
const MAX_HEADER_BYTES = 16 * 1024;

/**
 * A node:http server for connections that another server has accepted. A worker has one, and the
 * supervisor has one for the time without a worker: both accept and refuse the same bytes. Each has
 * another one for connections with TLS, whose handshakes are done (`isTls`).
 */
export function createConnectionServer(
  options: { idleTimeoutMs: number; isTls?: boolean } & Pick<ServerOptions, 'keepAliveTimeout'>,
): Server {
  const { idleTimeoutMs, isTls = false, ...others } = options;
  const connectionsCheckingInterval = Math.min(1000, Math.max(10, idleTimeoutMs / 4));
  const server = createServer({
    // The gateway responds with a problem, Node with an empty 400.
    requireHostHeader: false,
    // Of two Hosts the second would be lost otherwise, and the check of the head must see it.
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
  closeConnections(server, { close: lingerClose, defer: lingerBeforeEnd });
  trackResponses(server);
  allowHalfOpen(server, isTls);
  startConnectionChecks(server);
  return server;
}
