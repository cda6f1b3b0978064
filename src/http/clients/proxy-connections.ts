import type { Socket } from 'node:net';
import { addressOf, type ClientAddresses, setAddress } from './client-address.ts';
import { parseProxyHeader } from './proxy-header.ts';

/** A proxy sends its header at once. */
const HEADER_MS = 5000;

export interface ProxyConnectionsOptions {
  /** Whether connections of trusted proxies begin with a header of the PROXY protocol. */
  readonly proxyProtocol: boolean;
  readonly idleTimeoutMs: number;
}

/**
 * Connections whose first bytes say for which client a trusted proxy has opened them. The bytes behind
 * the header stay on the socket. A connection without a valid header is closed: its client is not known.
 */
export class ProxyConnections {
  readonly #addresses: ClientAddresses;
  readonly #isOn: boolean;
  readonly #deadlineMs: number;
  readonly #reading = new Set<Socket>();

  constructor(
    addresses: ClientAddresses,
    { proxyProtocol, idleTimeoutMs }: ProxyConnectionsOptions,
  ) {
    this.#addresses = addresses;
    this.#isOn = proxyProtocol;
    this.#deadlineMs = Math.min(HEADER_MS, idleTimeoutMs);
  }

  /** Connections whose header is not complete. */
  get count(): number {
    return this.#reading.size;
  }

  /** Calls `serve` when the connection may be read as HTTP, or as TLS: at once, unless a header comes first. */
  accept(socket: Socket, isTls: boolean, serve: (socket: Socket) => void): void {
    if (!this.#isOn || !this.#addresses.trusts(addressOf(socket))) {
      serve(socket);
      return;
    }
    this.#reading.add(socket);
    const timer = setTimeout(() => socket.destroy(), this.#deadlineMs).unref();
    let received = Buffer.alloc(0);
    const leave = (): void => {
      clearTimeout(timer);
      this.#reading.delete(socket);
      socket.off('readable', read).off('end', end).off('error', ignore).off('close', leave);
    };
    const read = (): void => {
      // Bytes that have arrived together are read together: at most those of one read of the kernel.
      const chunk = socket.read() as Buffer | null;
      if (chunk === null) return;
      received = Buffer.concat([received, chunk]);
      const header = parseProxyHeader(received);
      if (header === 'malformed') {
        socket.destroy();
        return;
      }
      if (header === 'incomplete') return;
      leave();
      if (header.source !== undefined) setAddress(socket, header.source);
      const rest = received.subarray(header.bytes);
      if (rest.length > 0) socket.unshift(rest);
      serve(socket);
      // TLS takes the bytes behind the header by itself; the socket would drop them.
      if (!isTls) socket.resume();
    };
    const end = (): void => void socket.destroy();
    const ignore = (): void => undefined;
    socket.on('readable', read).on('end', end).on('error', ignore).on('close', leave);
  }

  destroyAll(): void {
    for (const socket of this.#reading) socket.destroy();
  }
}
