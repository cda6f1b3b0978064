import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { pendingResponses } from '../node-internals/pending-responses.ts';
import { lingerClose } from './linger.ts';

/**
 * Makes a response for a CONNECT, once those to earlier requests have left. node:http makes none: it
 * takes its parser and its listeners off the connection, which is for a tunnel from there on, and
 * there are no tunnels here. The connection ends with the response.
 */
export function respondToConnect(
  req: IncomingMessage,
  socket: Socket,
  serve: (res: ServerResponse) => void,
): void {
  // Nobody else looks after it now, nor after the responses that are still on their way.
  socket.on('timeout', () => socket.destroy());
  socket.on('drain', () => pendingResponses(socket)[0]?.emit('drain'));
  const begin = (): void => {
    const [earlier] = pendingResponses(socket);
    if (earlier) {
      earlier.once('close', begin);
      return;
    }
    if (socket.destroyed || socket.writableEnded) return;
    const res = new ServerResponse(req);
    res.shouldKeepAlive = false;
    res.assignSocket(socket);
    res.once('finish', () => lingerClose(socket));
    serve(res);
  };
  begin();
}
