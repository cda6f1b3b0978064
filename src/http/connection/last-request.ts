import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';

/** The last request of a client that has announced to send no other (`Connection: close`). */
const last = Symbol('last request');
type Announced = Socket & { [last]?: IncomingMessage };

/** Notes that the client sends nothing behind this request (RFC 9112 §9.6). */
export function announceLast(req: IncomingMessage): void {
  (req.socket as Announced)[last] = req;
}

/** Whether the client has announced its last request, and neither side has anything left to send. */
export function isFinished(socket: Socket): boolean {
  const request = (socket as Announced)[last];
  return request?.complete === true && socket.writableLength === 0;
}
