/** A port: opened once and kept as long as the supervisor runs, also while workers end and restart. */
import { lookup } from 'node:dns/promises';
import net from 'node:net';
import type { Scheme } from '../../config/listen.ts';
import { isIPv6 } from '../../engine-config/host-text.ts';
import { ListenError, type Listener, type OnConnection, openServer } from './open-server.ts';

export interface TcpListener extends Listener {
  /** Where clients connect: the host as configured, with the port that was really taken. */
  readonly host: string;
  readonly port: number;
}

/** Where it is: `lookUp` gives it. */
export interface PortAddress {
  readonly host: string;
  readonly port: number;
  /** The host's, as the kernel writes it. */
  readonly address: string;
  readonly scheme?: Scheme | undefined;
}

/** @throws ListenError when the name of the host is not known. */
export async function lookUp(place: Omit<PortAddress, 'address'>): Promise<PortAddress> {
  const { host, port } = place;
  if (isIPv6(host)) {
    const { address } = new net.SocketAddress({ address: host, family: 'ipv6' });
    return { ...place, address };
  }
  const { address } = await lookup(host).catch((error: unknown) => {
    throw failure(error, host, port);
  });
  return { ...place, address };
}

/** Opens the port; with `ipv6Only`, `::` does not include the IPv4 addresses. @throws ListenError */
export async function listen(
  { host, port, address: where, scheme }: PortAddress,
  onConnection: OnConnection,
  ipv6Only = false,
): Promise<TcpListener> {
  const socket = await openServer({ host: where, port, ipv6Only }, onConnection).catch(
    (error: unknown) => {
      throw failure(error, host, port);
    },
  );
  const address = socket.address();
  const taken = typeof address === 'object' && address !== null ? address.port : port;
  const url = urlOf(host, taken, scheme);
  return { host, port: taken, address: url, socket, close: () => socket.close() };
}

function failure(error: unknown, host: string, port: number): ListenError {
  const cause = error as NodeJS.ErrnoException;
  const isInUse = cause.code === 'EADDRINUSE';
  return new ListenError(explain(cause, host, port), { cause, isInUse });
}

function explain(error: NodeJS.ErrnoException, host: string, port: number): string {
  switch (error.code) {
    case 'EADDRINUSE':
      return `port ${port} on ${host} is already in use; stop the program that holds it (ss -ltnp 'sport = :${port}' names it), or choose another port with --listen or --port`;
    case 'EACCES':
      return `not allowed to listen on port ${port}; choose one from 1024 with --listen or --port, or grant CAP_NET_BIND_SERVICE`;
    case 'EADDRNOTAVAIL':
      return `${host} is not an address of this machine; correct --listen or --host`;
    case 'EAFNOSUPPORT':
      return `this machine has no support for addresses such as ${host}; correct --listen or --host`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `the name ${host} cannot be resolved; correct --listen or --host`;
    default:
      return `cannot listen on ${host} port ${port}: ${error.message}`;
  }
}

/** The URL of a host and port; an unspecified address is shown as one that can be opened. */
export function urlOf(host: string, port: number, scheme?: Scheme): string {
  const shown = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `${scheme === 'tls' ? 'https' : 'http'}://${isIPv6(shown) ? `[${shown}]` : shown}:${port}`;
}
