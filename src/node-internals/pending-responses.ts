import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

const pending = Symbol('pending responses');
const onFirst = Symbol('serves a response that waits');
type Tracked = Duplex & { [pending]?: ServerResponse[] };
type Waiting = ServerResponse & { [onFirst]?: () => void };

/**
 * Tracks the responses of each connection of a server. Every request pays for this, so it costs one
 * listener that all responses share, and no lookup.
 */
export function trackResponses(server: Server): void {
  server.prependListener('request', begin);
  server.prependListener('checkContinue', begin);
  server.prependListener('checkExpectation', begin);
}

/** The responses of a connection that have not been sent, in the order of their requests. */
export function pendingResponses(socket: Duplex): readonly ServerResponse[] {
  return (socket as Tracked)[pending] ?? [];
}

/** Whether all earlier responses of the connection have been sent. */
export function isFirst(res: ServerResponse): boolean {
  return (res.req.socket as Tracked)[pending]?.[0] === res;
}

/** Calls `serve` once the response is the first of its connection, which may be closed by then. */
export function whenFirst(res: ServerResponse, serve: () => void): void {
  (res as Waiting)[onFirst] = serve;
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
  if (responses[0] !== this) {
    responses.splice(responses.indexOf(this), 1);
    return;
  }
  responses.shift();
  if (responses.length > 0) (responses[0] as Waiting)[onFirst]?.();
}
