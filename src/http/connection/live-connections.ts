import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as elapse, setImmediate as nextTurn } from 'node:timers/promises';
import { type Link, LinkedList } from '../../collections/linked-list.ts';
import { isEncrypted } from '../../node-internals/node-features.ts';
import { isClosing } from './linger.ts';

/** How often a drain checks whether everything is sent: no event reports that for a small response. */
const DRAIN_LOOK_MS = 10;
/**
 * A client may have sent the next request when its connection is closed, and never learns whether that
 * request was executed. So responses announce the end first (`Connection: close`), and only connections
 * without a request in this time close without it. The time is counted in checks, which take longer on a
 * busy machine, where clients take longer too.
 */
const GRACE_LOOKS = 20;
/** The same for a connection without a request so far: its client is about to send one. */
const FRESH_LOOKS = 200;

/**
 * How long a drain waits for connections that have their last response, while their clients still send: such a
 * client may not have read it. Without a limit of its own, a client that is refused, and sends a byte now and
 * then, would hold every drain until its deadline.
 */
const LINGER_MS = 5000;

export interface LiveConnectionsOptions {
  /** Serves the connections without TLS. */
  readonly server: Server;
  /** Serves the connections with TLS. */
  readonly secure?: Server | undefined;
  /** Requests that are being served. */
  readonly inFlight: () => number;
  /** Connections that are about to be accepted here: their handshake is not done, or the header of their proxy is not complete. */
  readonly arriving: () => number;
}

export interface LiveConnections {
  /** Serves a connection that another server has accepted. */
  accept(socket: Socket): void;
  /** Connections that are open, also those that are arriving. */
  readonly count: number;
  /**
   * Lets requests in flight finish, and their connections close; false after the deadline. Clients that go
   * on sending behind their last response delay it by `lingerMs` at most.
   */
  drain(deadlineMs: number, lingerMs?: number): Promise<boolean>;
  /** Closes every connection at once. */
  destroyAll(): void;
}

/** One connection, on its socket and in the list of all. */
interface Connection extends Link<Connection> {
  readonly socket: Socket;
  /** Without a request so far. */
  isFresh: boolean;
}

const own = Symbol('live connection');
type Tracked = Socket & { [own]?: Connection };

/** Notes which connections of a server have had a request. */
function noteRequests(server: Server): void {
  const onRequest = ({ socket }: { socket: Tracked }): void => {
    if (socket[own] !== undefined) socket[own].isFresh = false;
  };
  for (const event of ['request', 'checkContinue', 'checkExpectation'] as const) {
    server.on(event, onRequest);
  }
}

const hasUnsentBytes = (socket: Socket): boolean => socket.writableLength > 0;
const isSending = (socket: Socket): boolean => !socket.destroyed && hasUnsentBytes(socket);
/** A refused upload, for example, which the gateway still reads and discards. */
const isLingering = (socket: Socket): boolean => !socket.destroyed && isClosing(socket);

/** The connections of a server, until their last bytes are sent. */
export function createLiveConnections(options: LiveConnectionsOptions): LiveConnections {
  const { server, secure, inFlight, arriving } = options;
  const servers = secure === undefined ? [server] : [server, secure];
  const connections = new LinkedList<Connection>();
  const sockets = (): Socket[] => connections.toArray().map(({ socket }) => socket);
  const someAreFresh = (): boolean =>
    arriving() > 0 || connections.toArray().some(({ isFresh }) => isFresh);
  for (const each of servers) noteRequests(each);
  const isBusy = (): boolean => inFlight() > 0 || sockets().some(isSending);

  return {
    get count() {
      return connections.size + arriving();
    },
    accept(socket: Tracked) {
      const connection = { socket, isFresh: true, previous: undefined, next: undefined };
      socket[own] = connection;
      connections.add(connection);
      socket.once('close', () => connections.remove(connection));
      // node:http listens too, but not on connections that it has passed on.
      socket.on('error', () => undefined);
      socket.setNoDelay(true);
      // A client may end its side before it has the response; a passed-on socket has lost this option.
      socket.allowHalfOpen = true;
      const target = isEncrypted(socket) ? secure : server;
      target?.emit('connection', socket);
    },
    async drain(deadlineMs, lingerMs = LINGER_MS) {
      const started = performance.now();
      let busyMs = 0;
      for (let looks = 0; ; looks += 1) {
        // The gateway reads what has arrived before it closes a connection.
        await nextTurn();
        const elapsedMs = performance.now() - started;
        const graceIsOver = looks >= (someAreFresh() ? FRESH_LOOKS : GRACE_LOOKS);
        // node:http treats a connection as idle although its last response still waits for a slow reader.
        if (graceIsOver && !sockets().some(hasUnsentBytes)) {
          for (const each of servers) each.closeIdleConnections();
        }
        const busy = isBusy();
        if (busy) busyMs = elapsedMs;
        const waits = busy || (elapsedMs - busyMs < lingerMs && sockets().some(isLingering));
        const finished = !waits && (graceIsOver || connections.size + arriving() === 0);
        if (finished || elapsedMs >= deadlineMs) break;
        await elapse(DRAIN_LOOK_MS);
      }
      const drained = !isBusy();
      // Connections without a complete request close too: the gateway reads no more requests.
      if (drained) for (const socket of sockets()) socket.destroy();
      return drained;
    },
    destroyAll() {
      for (const socket of sockets()) socket.destroy();
    },
  };
}
