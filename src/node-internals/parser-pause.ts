import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { isEncrypted, nodeFeature } from './node-features.ts';

const feature = nodeFeature('parser-pause');

/**
 * Stops reading a connection of node:http, whose parser reads past the stream: a stream that is paused
 * already does not emit `pause`, on which node:http stops, although its parser may have begun to read
 * again. Without the feature such a connection is read on.
 */
export function pauseParser(socket: Socket): void {
  if (socket.readableFlowing !== false) socket.pause();
  else if (feature.enabled && !isEncrypted(socket)) stop(socket);
}

function stop(socket: Socket): void {
  socket.emit('pause');
}

const REQUEST = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
/** After this time, a socket that is not stopped has been read. */
const TURNS = 3;

/** A stopped connection of the probe's own must not be read, until it is resumed. */
export async function probeParserPause(socketPair: () => readonly [Socket, Socket]): Promise<void> {
  const [inside, outside] = socketPair();
  const server = createServer();
  try {
    const next = (): Promise<void> =>
      new Promise((resolve, reject) => {
        server.once('request', () => resolve());
        for (const socket of [inside, outside]) socket.once('error', reject);
      });
    server.emit('connection', inside);
    const first = next();
    outside.write(REQUEST);
    await first;
    // The parser reads again behind this, and the stream stays paused.
    inside.pause();
    inside.resume();
    inside.pause();
    await nextTurn();
    stop(inside);
    const { bytesRead } = inside;
    const second = next();
    outside.write(REQUEST);
    for (let turn = 0; turn < TURNS; turn += 1) await nextTurn();
    if (inside.bytesRead !== bytesRead) throw new Error('a stopped connection was read');
    inside.resume();
    await second;
  } finally {
    inside.destroy();
    outside.destroy();
  }
}
