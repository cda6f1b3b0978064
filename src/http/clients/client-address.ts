import type { IncomingMessage } from 'node:http';
import { type BlockList, isIPv4, isIPv6, type Socket } from 'node:net';
import { proxyList, UNIX } from '../../config/clients/proxies.ts';

/** Where a request comes from. */
export interface ClientAddress {
  /**
   * An IP address; `unix` for a client of a Unix socket; `unknown` if the client disconnected before it was
   * read, or its proxy gives none.
   */
  readonly address: string;
  /** What counts as one client: an IPv4 address, or the /64 of an IPv6 address. Undefined for the others. */
  readonly network: string | undefined;
}

const unixClient: ClientAddress = { address: UNIX, network: undefined };
/** All such clients count as one: otherwise each connection that its client resets would be a client of its own. */
const unknownClient: ClientAddress = { address: 'unknown', network: 'unknown' };

const FORWARDED = 'x-forwarded-for';

const own = Symbol('address');
const told = Symbol('forwarded');
interface Told {
  readonly header: string;
  readonly address: ClientAddress;
}
type Addressed = Socket & { [own]?: ClientAddress | undefined; [told]?: Told };

/**
 * Finds the address of clients. A proxy that is trusted names them in X-Forwarded-For: the rightmost
 * address that is no trusted proxy is the client. Addresses further left are what that client says, and
 * do not count.
 */
export class ClientAddresses {
  readonly #trusted: BlockList | undefined;
  readonly #trustsUnix: boolean;

  /** The entries of --trusted-proxy. */
  constructor(proxies: readonly string[]) {
    this.#trusted = proxies.length === 0 ? undefined : proxyList(proxies);
    this.#trustsUnix = proxies.includes(UNIX);
  }

  /** Whether the connections from an address are those of a trusted proxy. */
  trusts(address: ClientAddress): boolean {
    return this.#trusted !== undefined && this.#isTrusted(address);
  }

  of({ socket, headers }: Pick<IncomingMessage, 'socket' | 'headers'>): ClientAddress {
    const peer = addressOf(socket);
    if (this.#trusted === undefined) return peer;
    const header = headers[FORWARDED];
    if (typeof header !== 'string' || !this.#isTrusted(peer)) return peer;
    const { [told]: last } = socket as Addressed;
    if (last?.header === header) return last.address;
    const address = this.#find(header, peer);
    (socket as Addressed)[told] = { header, address };
    return address;
  }

  #find(header: string, peer: ClientAddress): ClientAddress {
    let nearest = peer;
    for (const entry of header.split(',').reverse()) {
      const address = plainAddress(entry.trim());
      // What stands further left is not known to come from a trusted proxy.
      if (address === undefined) return nearest;
      nearest = clientAddress(address);
      if (!this.#isTrusted(nearest)) return nearest;
    }
    return nearest;
  }

  #isTrusted({ address }: ClientAddress): boolean {
    if (address === UNIX) return this.#trustsUnix;
    if (address === unknownClient.address) return false;
    return this.#trusted?.check(address, isIPv6(address) ? 'ipv6' : 'ipv4') === true;
  }
}

/** The address at the other end of a connection. It is remembered: a closed socket has none any more. */
export function addressOf(socket: Socket): ClientAddress {
  const addressed: Addressed = socket;
  addressed[own] ??= peerAddress(socket);
  return addressed[own];
}

/** A connection that its client has reset has only its own end, and is none of a Unix socket. */
function peerAddress({ remoteAddress, localAddress, destroyed }: Socket): ClientAddress {
  if (remoteAddress !== undefined)
    return clientAddress(plainAddress(remoteAddress) ?? remoteAddress);
  return localAddress === undefined && !destroyed ? unixClient : unknownClient;
}

/**
 * A trusted proxy has opened the connection for a client at this address. Without one the client is
 * unknown: as the address of the proxy, its X-Forwarded-For would be trusted.
 */
export function setAddress(socket: Socket, address: string | null): void {
  (socket as Addressed)[own] =
    address === null ? unknownClient : clientAddress(plainAddress(address) ?? address);
}

/** The socket of TLS has the address of the connection below it. */
export function takeAddress(socket: Socket, accepted: Socket): void {
  (socket as Addressed)[own] = addressOf(accepted);
}

/** An address without port and brackets; an IPv4 address in IPv6 form is one of IPv4. Undefined for other texts. */
function plainAddress(text: string): string | undefined {
  const [, bracketed] = /^\[([^\]]*)\](?::\d+)?$/.exec(text) ?? [];
  const bare = (bracketed ?? text).replace(/%.*$/, '');
  const [, withoutPort = bare] = /^((?:::ffff:)?[\d.]+):\d+$/i.exec(bare) ?? [];
  const address = bracketed === undefined ? withoutPort : bare;
  if (isIPv4(address)) return address;
  return isIPv6(address) ? (mappedIPv4(address) ?? address) : undefined;
}

const clientAddress = (address: string): ClientAddress => ({
  address,
  network: isIPv6(address) ? networkOf(address) : address,
});

/** The /64 of an IPv6 address: providers give a whole one to each customer, who may use any address of it. */
const networkOf = (address: string): string =>
  `${groupsOf(address)
    .slice(0, 4)
    .map((group) => group.toString(16))
    .join(':')}::/64`;

/**
 * The IPv4 address that an IPv6 address stands for (RFC 4291 §2.5.5.2), however it is written: all of them
 * are in one /64, and would be one client. Proxies that listen on `::` name their IPv4 clients in this way.
 */
function mappedIPv4(address: string): string | undefined {
  const groups = groupsOf(address);
  const [high = 0, low = 0] = groups.slice(MAPPED.length);
  const isMapped = MAPPED.every((group, at) => group === groups[at]);
  return isMapped ? [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.') : undefined;
}

const MAPPED = [0, 0, 0, 0, 0, 0xffff];

/** The eight groups of 16 bits of an IPv6 address. */
function groupsOf(address: string): number[] {
  const [head = [], tail = []] = address.split('::').map(groupsIn);
  return [...head, ...Array<number>(8 - head.length - tail.length).fill(0), ...tail];
}

/** The groups that are written in a part of an IPv6 address. An IPv4 address at the end stands for two. */
function groupsIn(part: string): number[] {
  if (part === '') return [];
  return part.split(':').flatMap((text) => {
    if (!text.includes('.')) return [Number.parseInt(text, 16)];
    const [a = 0, b = 0, c = 0, d = 0] = text.split('.').map(Number);
    return [(a << 8) | b, (c << 8) | d];
  });
}
