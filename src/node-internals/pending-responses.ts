import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

const pending = new WeakMap<Duplex, ServerResponse[]>();

/**
 * Tracks the responses of each connection of a server. `onEnd` is called when the last response that
 * was pending on a connection has been sent.
 */
export function trackResponses(server: Server): void {
  const begin = (req: IncomingMessage, res: ServerResponse): void => {
    const { socket } = req;
    const responses = pending.get(socket) ?? [];
    pending.set(socket, responses);
    responses.push(res);
    res.once('close', () => {
      responses.splice(responses.indexOf(res), 1);
    });
  };
  server.prependListener('request', begin);
  server.prependListener('checkContinue', begin);
  server.prependListener('checkExpectation', begin);
}

/** The responses of a connection that have not been sent, in their order; the first has the socket. */
export function pendingResponses(socket: Duplex): readonly ServerResponse[] {
  return pending.get(socket) ?? [];
}
