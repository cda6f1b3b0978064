import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

const pending = Symbol('pending responses');
type Tracked = Duplex & { [pending]?: ServerResponse[] };

/**
 * Tracks the responses of each connection of a server. Every request pays for this, so it costs one
 * listener that all responses share, and no lookup.
 */
export function trackResponses(server: Server): void {
  server.prependListener('request', begin);
  server.prependListener('checkContinue', begin);
  server.prependListener('checkExpectation', begin);
}

/** The responses of a connection that have not been sent, in their order; the first has the socket. */
export function pendingResponses(socket: Duplex): readonly ServerResponse[] {
  return (socket as Tracked)[pending] ?? [];
}

function begin(req: IncomingMessage, res: ServerResponse): void {
  const socket = req.socket as Tracked;
  const responses = socket[pending] ?? [];
  socket[pending] = responses;
  responses.push(res);
  res.on('close', end);
}

function end(this: ServerResponse): void {
  const responses = (this.req.socket as Tracked)[pending] ?? [];
  if (responses[0] === this) responses.shift();
  else responses.splice(responses.indexOf(this), 1);
}
