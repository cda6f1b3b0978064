import { createServer, type Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { nodeFeature } from './node-features.ts';
import { pendingResponses, trackResponses } from './pending-responses.ts';
import { streamPair } from './stream-pair.ts';

const feature = nodeFeature('half-open');

/**
 * Lets a client end its side of the connection before it has the response. The server must track its
 * responses (pending-responses.ts). `isTls`: its connections are encrypted, so that the documented way is
 * taken (node-features.ts).
 */
export function allowHalfOpen(server: Server, isTls = false): void {
  if (feature.enabled && !isTls) setFlag(server);
  else server.prependListener('connection', deferEnd);
}

function setFlag(server: Server): void {
  (server as { httpAllowHalfOpen?: boolean }).httpAllowHalfOpen = true;
}

/**
 * When the client ends its side of a connection, node:http ends the other side as well. Here it
 * waits until the pending responses have been sent.
 */
function deferEnd(socket: Duplex): void {
  const end = socket.end.bind(socket) as (...given: unknown[]) => Duplex;
  let deferred = false;
  socket.end = (...given: unknown[]): Duplex => {
    const last = pendingResponses(socket).at(-1);
    if (given.length > 0 || !socket.readableEnded || last === undefined) return end(...given);
    if (!deferred) last.once('close', () => end());
    deferred = true;
    return socket;
  };
}

/** A client that has ended its side must get its response. */
export async function probeHalfOpen(): Promise<void> {
  const [inside, outside] = streamPair();
  const server = createServer((_req, res) => {
    inside.once('end', () => setImmediate(() => res.end('whole')));
  });
  setFlag(server);
  trackResponses(server);
  try {
    server.emit('connection', inside);
    outside.end('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    let received = '';
    for await (const chunk of outside) received += String(chunk);
    if (!received.endsWith('whole')) throw new Error('a half-closed client got no response');
  } finally {
    inside.destroy();
    outside.destroy();
  }
}
