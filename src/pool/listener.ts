/** The port: opened once, kept for the supervisor's whole life, whatever happens to the workers. */
import net from 'node:net';

export interface Listener {
  /** What clients connect to: the host as configured, with the port that was really taken. */
  readonly host: string;
  readonly port: number;
  /** Accepts nothing more; connections that were accepted live on. */
  close(): void;
}

/** Thrown when the port cannot be opened; the message says what to do. */
export class ListenError extends Error {
  override readonly name = 'ListenError';
}

/** Connections that the kernel holds while we are busy; it takes no more than net.core.somaxconn. */
const backlog = 4096;

/** Opens the port. Connections arrive paused, so that no byte is read here that a worker should see. */
export function listen(
  host: string,
  port: number,
  onConnection: (socket: net.Socket) => void,
): Promise<Listener> {
  return new Promise((resolve, reject) => {
    // Half-open, because a client may end its side before it has the answer.
    const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true }, onConnection);
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(new ListenError(explain(error, host, port), { cause: error }));
    });
    server.listen({ host, port, backlog }, () => {
      server.removeAllListeners('error');
      // A failing accept (no descriptor left, say) is no reason to end; the kernel tries again.
      server.on('error', () => {});
      const address = server.address();
      const taken = typeof address === 'object' && address !== null ? address.port : port;
      resolve({ host, port: taken, close: () => void server.close() });
    });
  });
}

function explain(error: NodeJS.ErrnoException, host: string, port: number): string {
  switch (error.code) {
    case 'EADDRINUSE':
      return `port ${port} on ${host} is already in use; stop the program that holds it (ss -ltnp 'sport = :${port}' names it), or choose another port with --port`;
    case 'EACCES':
      return `not allowed to listen on port ${port}; choose one from 1024 with --port, or grant CAP_NET_BIND_SERVICE`;
    case 'EADDRNOTAVAIL':
      return `${host} is not an address of this machine; correct --host`;
    case 'EAFNOSUPPORT':
      return `this machine has no support for addresses such as ${host}; correct --host`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `the name ${host} cannot be resolved; correct --host`;
    default:
      return `cannot listen on ${host} port ${port}: ${error.message}`;
  }
}

/** The URL of a host and port; an unspecified address is shown as one that can be opened. */
export function urlOf(host: string, port: number): string {
  const shown = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `http://${net.isIPv6(shown) ? `[${shown}]` : shown}:${port}`;
}
