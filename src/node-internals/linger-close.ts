import { createServer, type Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { isEncrypted, nodeFeature } from './node-features.ts';
import { streamPair } from './stream-pair.ts';

const feature = nodeFeature('linger-close');

export interface Closing {
  /** Closes a connection whose last response has been written. */
  readonly close: (socket: Socket) => void;
  /**
   * Takes over the end of the server's side of such a connection: `end` closes it. False where it
   * may be closed at once.
   */
  readonly defer: (socket: Socket, end: () => void) => boolean;
}

/** Closes each connection of a server behind its last response. */
export function closeConnections(server: Server, { close, defer }: Closing): void {
  server.on('connection', (socket) => {
    if (feature.enabled && !isEncrypted(socket)) replaceClose(socket, () => close(socket));
    else deferEnd(socket, defer);
  });
}

/**
 * node:http ends the server's side behind the last response, and destroys the connection once all
 * bytes are written. So that side must not end before the client has received the response.
 */
function deferEnd(socket: Socket, defer: Closing['defer']): void {
  const end = socket.end.bind(socket) as (...given: unknown[]) => Socket;
  socket.end = (...given: unknown[]): Socket => {
    const isClose = given.length === 0 && !socket.readableEnded;
    return isClose && defer(socket, () => end()) ? socket : end(...given);
  };
}

/** node:http calls this behind the last response of a connection, and would close it at once. */
function replaceClose(socket: Duplex, close: () => void): void {
  (socket as Duplex & { destroySoon: () => void }).destroySoon = close;
}

/**
 * Behind the last response, node:http has nothing to do when the client ends its side, and would end
 * ours again. For that, Node creates an error with a stack, which is a tenth of the processor time of a connection with one request.
 */
export function ignoreEnd(socket: Duplex): void {
  if (!feature.enabled || isEncrypted(socket)) return;
  for (const listener of socket.listeners('end') as (() => void)[]) {
    if (listener.name === 'bound socketOnEnd') socket.removeListener('end', listener);
  }
}

const CLOSED = 'node:http closed a connection by itself';

/** Behind the last response, node:http must keep a connection of the probe's own open, and call its close. */
export async function probeLingerClose(
  connectionPair: () => readonly [Duplex, Duplex] = streamPair,
): Promise<void> {
  const [inside, outside] = connectionPair();
  const server = createServer((_req, res) => res.end('whole'));
  try {
    let received = '';
    outside.on('data', (chunk: Buffer) => {
      received += chunk.toString('latin1');
    });
    const closed = new Promise<void>((resolve, reject) => {
      replaceClose(inside, resolve);
      inside.once('finish', () => reject(new Error(CLOSED)));
    });
    server.emit('connection', inside);
    outside.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    await closed;
    await new Promise((resolve) => setImmediate(resolve));
    if (!received.endsWith('whole')) throw new Error('the last response was cut short');
    if (inside.destroyed || inside.writableEnded) throw new Error(CLOSED);
  } finally {
    inside.destroy();
    outside.destroy();
  }
}
