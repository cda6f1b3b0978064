/** A server that only accepts: what all kinds of listeners have in common. */
import net from 'node:net';

/** Connections that the kernel holds while we are busy; it takes no more than net.core.somaxconn. */
const backlog = 4096;

/** Takes a connection that is paused, so that no byte is read here that a worker should see. */
export type OnConnection = (socket: net.Socket) => void;

/** Begins to listen before it returns, and resolves when that is known to work. */
export function openServer(
  where: { host: string; port: number; ipv6Only: boolean } | { path: string },
  onConnection: OnConnection,
): Promise<net.Server> {
  return new Promise((resolve, reject) => {
    // Half-open, because a client may end its side before it has the answer.
    const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true }, onConnection);
    server.once('error', reject);
    server.listen({ ...where, backlog }, () => {
      server.removeAllListeners('error');
      // A failing accept (no descriptor left, say) is no reason to end; the kernel tries again.
      server.on('error', () => {});
      resolve(server);
    });
  });
}

/** Where clients connect to. */
export interface Listener {
  /** As one URL or word: `http://127.0.0.1:8080`, `unix:/run/gateway.sock`. */
  readonly address: string;
  /** Accepts nothing more; connections that were accepted live on. */
  close(): void;
}

/** Thrown when something cannot be listened on; the message says what to do. */
export class ListenError extends Error {
  override readonly name = 'ListenError';
}
