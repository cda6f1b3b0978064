import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Exchange } from '../exchange.ts';
import { announceLast } from './last-request.ts';
import { discardRequest, isClosing } from './linger.ts';

/** The requests of one connection, as its server sees them. */
export interface ConnectionState {
  /** The request that is being served: one at a time. */
  serving: Exchange | undefined;
  /**
   * The response to the request whose head was parsed last; undefined once that exchange has ended.
   * Responses are sent in the order of their requests, so when this one has closed, none is pending.
   */
  latest: ServerResponse | undefined;
  /** Heads that were parsed. */
  heads: number;
  /** Set once no later request of this connection may be executed. */
  isClosing: boolean;
  /** Set with a refusal before the body of its request: the requests behind it get no response. */
  isOver: boolean;
  /** Why the body of the latest request will never be complete. */
  bodyFault: Error | undefined;
}

export interface ConnectionStates {
  of(connection: object): ConnectionState;
}

/**
 * Keeps a state on each connection. In a WeakMap, V8 would keep a closed connection until the next full
 * collection, because the state may refer to its last response.
 */
export function createConnectionStates(): ConnectionStates {
  const requests = Symbol('requests');
  return {
    of(connection: { [requests]?: ConnectionState }) {
      const known = connection[requests];
      if (known !== undefined) return known;
      const state: ConnectionState = {
        serving: undefined,
        latest: undefined,
        heads: 0,
        isClosing: false,
        isOver: false,
        bodyFault: undefined,
      };
      connection[requests] = state;
      return state;
    },
  };
}

/**
 * Whether a request must be the last of its connection, because the client requests that (RFC 9112
 * §9.3), or because the end of the message is not certain: with other protocol versions, and HTTP/1.0
 * with Transfer-Encoding (§6.1). node:http ignores an Upgrade without a listener, as RFC 9110 §7.8
 * allows, but its parser still stops behind the message and drops the rest of the packet. Bytes
 * that arrive later then belong to no request, and a body among them would be executed as one. The
 * parser stops when Connection names the Upgrade; Upgrade alone is enough here, because to close is
 * always safe.
 */
function endsConnection(req: IncomingMessage): boolean {
  const { headers, httpVersionMajor, httpVersionMinor } = req;
  const { connection } = headers;
  const isOld = httpVersionMinor === 0;
  if (headers.upgrade !== undefined || httpVersionMajor !== 1) return true;
  if (isOld && (headers['transfer-encoding'] !== undefined || connection === undefined))
    return true;
  if (connection === undefined || connection === 'keep-alive') return false;
  const options = new Set(optionsOf(connection));
  return options.has('close') || (isOld && !options.has('keep-alive'));
}

/** A pattern with the blanks around the commas would take quadratic time on a header full of blanks. */
const optionsOf = (connection: string): string[] =>
  connection
    .toLowerCase()
    .split(',')
    .map((option) => option.trim());

/** Whether node:http adds `Connection: close` to the response by itself. To set it costs 5 µs. */
const isAnnouncedByNode = ({ headers, httpVersionMajor }: IncomingMessage): boolean =>
  headers.connection === 'close' && headers.upgrade === undefined && httpVersionMajor === 1;

/**
 * Registers a request whose head was parsed. False when an earlier request or fault ends the
 * connection: then the request must not be served, and its bytes are discarded.
 */
export function admit(
  connection: ConnectionState,
  req: IncomingMessage,
  res: ServerResponse,
): boolean {
  if (connection.isClosing || isClosing(req.socket)) {
    discardRequest(req);
    return false;
  }
  connection.latest = res;
  connection.heads += 1;
  if (endsConnection(req)) {
    connection.isClosing = true;
    if (isAnnouncedByNode(req)) announceLast(req);
    else res.setHeader('Connection', 'close');
  }
  return true;
}

/** Notes that an exchange has ended. The next one of the connection may have begun before. */
export function dismiss({ connection, req, res }: Exchange): void {
  if (connection.serving?.res === res) connection.serving = undefined;
  // The body of a refused request may still be arriving, and faults in it belong to that request.
  if (connection.latest === res && req.complete) connection.latest = undefined;
}
