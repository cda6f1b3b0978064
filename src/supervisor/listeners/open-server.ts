/** A server that only accepts: the common part of all listeners. */
import net from 'node:net';
import { BACKLOG } from '../../messages/listening.ts';
import { ListeningSocket } from './listening-socket.ts';

/** Takes a paused connection: a byte that the supervisor read would be missing in the worker. */
export type OnConnection = (socket: net.Socket) => void;

/** Begins to listen before it returns, and resolves when that is known to work. */
export function openServer(
  where: { host: string; port: number; ipv6Only: boolean } | { path: string },
  onConnection: OnConnection,
): Promise<ListeningSocket> {
  return new Promise((resolve, reject) => {
    // Half-open, because a client may end its side before it has the response.
    const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true }, onConnection);
    server.once('error', reject);
    server.listen({ ...where, backlog: BACKLOG }, () => {
      server.removeAllListeners('error');
      // A failed accept (without a free descriptor, for example) is no reason to end; the kernel tries again.
      server.on('error', () => {});
      resolve(new ListeningSocket(server));
    });
  });
}

/** Where clients connect to. */
export interface Listener {
  /** As one URL or word: `http://127.0.0.1:8080`, `unix:/run/gateway.sock`. */
  readonly address: string;
  readonly socket: ListeningSocket;
  /** Accepts nothing more; connections that were accepted live on. */
  close(): void;
}

/** Thrown when a port or socket cannot be opened; the message says what to do. */
export class ListenError extends Error {
  override readonly name = 'ListenError';
  /** Whether another process listens there. */
  readonly isInUse: boolean;

  constructor(message: string, options: ErrorOptions & { readonly isInUse?: boolean } = {}) {
    super(message, options);
    this.isInUse = options.isInUse ?? false;
  }
}
