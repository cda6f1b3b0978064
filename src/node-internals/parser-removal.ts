import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { isEncrypted, nodeFeature } from './node-features.ts';

const feature = nodeFeature('parser-removal');

/** How often the bytes are counted that a connection with its parser has read. */
const POLL_MS = 50;

/**
 * Detaches the HTTP parser from a connection, if the feature is on: bytes that arrive from now on are
 * discarded. Otherwise they go to the parser. `onBytes` is called with the number of bytes, in
 * either case. Must not be called within a callback of the parser. Returns whether the parser is
 * detached.
 */
export function takeParserOff(socket: Socket, onBytes: (bytes: number) => void): boolean {
  const isRemoved = feature.enabled && !isEncrypted(socket);
  if (isRemoved) remove(socket, onBytes);
  else readOn(socket, onBytes);
  return isRemoved;
}

function remove(socket: Duplex, onBytes: (bytes: number) => void): void {
  socket.removeAllListeners('data');
  // node:http hands the connection over to a listener for its data.
  socket.on('data', (chunk: Buffer) => onBytes(chunk.length));
  socket.resume();
  // The parser may have stopped reading without the stream, whose state still says that it reads.
  socket.push('');
}

function readOn(socket: Socket, onBytes: (bytes: number) => void): void {
  // The parser may have stopped reading, and reads again on the event `resume`.
  socket.pause();
  socket.resume();
  let seen = socket.bytesRead;
  const timer = setInterval(() => {
    const { bytesRead } = socket;
    if (bytesRead > seen) onBytes(bytesRead - seen);
    seen = bytesRead;
  }, POLL_MS).unref();
  socket.once('close', () => clearInterval(timer));
}

const REQUEST = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const BEHIND = `${REQUEST}\0`;

/** No byte of a connection of the probe's own may reach the parser that was detached from it. */
export async function probeParserRemoval(
  connectionPair: () => readonly [Duplex, Duplex],
): Promise<void> {
  const [inside, outside] = connectionPair();
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      server.on('clientError', () => reject(new Error('the parser got bytes')));
      for (const end of [inside, outside]) end.once('error', reject);
      let requests = 0;
      server.on('request', (_req, res) => {
        requests += 1;
        if (requests > 1) {
          reject(new Error('the parser found another request'));
          return;
        }
        inside.pause();
        let bytes = 0;
        process.nextTick(remove, inside, (more: number) => {
          bytes += more;
          // A response must still be possible.
          if (bytes === BEHIND.length) res.end('whole');
        });
        setImmediate(() => outside.write(BEHIND));
      });
      let received = '';
      outside.on('data', (chunk: Buffer) => {
        received += chunk.toString('latin1');
        if (received.endsWith('whole')) resolve();
      });
      server.emit('connection', inside);
      outside.write(REQUEST);
    });
  } finally {
    inside.destroy();
    outside.destroy();
  }
}
