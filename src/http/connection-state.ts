import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Exchange } from './exchange.ts';
import { discardInput } from './linger.ts';

/** The requests of one connection, as its server sees them. */
export interface ConnectionState {
  /** The request that is being served: one at a time. */
  serving: Exchange | undefined;
  /**
   * The response to the request whose head came last; undefined once that exchange has ended.
   * Responses leave in the order of their requests, so when this one has closed, none is pending.
   */
  latest: ServerResponse | undefined;
  /** Set once nothing that arrives later on this connection may be executed. */
  isClosing: boolean;
  /** Why the body of the latest request will never be complete. */
  bodyFault: Error | undefined;
}

export interface ConnectionStates {
  of(connection: object): ConnectionState;
}

/** Keeps a state for each connection, as long as the connection lives. */
export function createConnectionStates(): ConnectionStates {
  const states = new WeakMap<object, ConnectionState>();
  return {
    of(connection) {
      const known = states.get(connection);
      if (known !== undefined) return known;
      const state: ConnectionState = {
        serving: undefined,
        latest: undefined,
        isClosing: false,
        bodyFault: undefined,
      };
      states.set(connection, state);
      return state;
    },
  };
}

/**
 * Whether a request must be the last of its connection. node:http ignores an Upgrade that no one
 * listens for, as RFC 9110 §7.8 allows, but its parser stops behind the message all the same and drops
 * the rest of the packet. Bytes that arrive later then belong to no request, and a body among them
 * would be executed as one. The parser stops when the request has Upgrade, and Connection names it;
 * Upgrade alone is enough here, because to close is always safe. Of other protocol versions the end of
 * the message is not certain either, nor of HTTP/1.0 with Transfer-Encoding (RFC 9112 §6.1).
 */
const endsConnection = ({
  headers,
  httpVersionMajor,
  httpVersionMinor,
}: IncomingMessage): boolean =>
  headers.upgrade !== undefined ||
  httpVersionMajor !== 1 ||
  (httpVersionMinor === 0 && headers['transfer-encoding'] !== undefined);

/**
 * Registers a request whose head has come. False when an earlier request or fault ends the connection:
 * then the request must not be served, and what follows is discarded.
 */
export function admit(
  connection: ConnectionState,
  req: IncomingMessage,
  res: ServerResponse,
): boolean {
  if (connection.isClosing || req.socket.writableEnded) {
    discardInput(req.socket);
    return false;
  }
  connection.latest = res;
  if (endsConnection(req)) res.shouldKeepAlive = false;
  if (!res.shouldKeepAlive) connection.isClosing = true;
  return true;
}

/** Notes that an exchange has ended. The next one of the connection may have begun before. */
export function dismiss({ connection, req, res }: Exchange): void {
  if (connection.serving?.res === res) connection.serving = undefined;
  // Of a refused request the body may still be arriving, and faults in it belong to that request.
  if (connection.latest === res && req.complete) connection.latest = undefined;
}
