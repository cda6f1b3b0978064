import type { Socket } from 'node:net';
import type { Exchange } from '../exchange.ts';
import { parseTarget } from '../request/target.ts';
import type { Grant } from '../security/grant.ts';
import type { Client } from './client.ts';
import { addressOf, type ClientAddress } from './client-address.ts';
import type { Clients } from './clients.ts';

/** The connection as its requests' store calls see it: `peer` is the client of the request that is served. */
type Connection = Socket & { peer?: Client };

/** The client of a connection before its first request has been read. */
export function beginConnection(clients: Clients, connection: Connection): void {
  connection.peer ??= clientAt(clients, addressOf(connection).network, connection);
}

/**
 * Finds the client of a request whose head is checked: its token, its certificate, or its address. A request below /v1/,
 * or one of the status page with a query, counts among those of the client in flight until the exchange ends.
 * @throws ProblemError `client-busy`, `client-too-fast`
 */
export function admitClient(exchange: Exchange, { network }: ClientAddress): void {
  const { req, grant, gateway } = exchange;
  const { clients } = gateway;
  const connection: Connection = req.socket;
  const client = namedClient(clients, grant) ?? clientAt(clients, network, connection);
  connection.peer = client;
  // Probes and scrapes come from addresses that may be those of clients.
  if (!isCounted(req.url ?? '/')) return;
  clients.enter(client);
  exchange.client = client;
}

/** The client that has proved who it is; undefined without a token and without a name in a certificate. */
function namedClient(clients: Clients, { id, certificate }: Grant): Client | undefined {
  if (id !== undefined) return clients.withToken(id);
  // A certificate with several common names, or none, has an empty name: it does not tell clients apart.
  return certificate ? clients.withCertificate(certificate) : undefined;
}

function isCounted(url: string): boolean {
  if (url.startsWith('/v1/')) return true;
  if (url.startsWith('/') && !url.startsWith('/?')) return false;
  const { path, query } = parseTarget(url);
  // The status page asks the engine for the key in its query.
  return path === '/' ? query !== '' : path.startsWith('/v1/');
}

const unnamed = Symbol('unnamed client');

/** On a Unix socket no address tells clients apart: each connection is one. */
function clientAt(
  clients: Clients,
  network: string | undefined,
  connection: Connection & { [unnamed]?: Client | undefined },
): Client {
  if (network !== undefined) return clients.at(network);
  connection[unnamed] ??= clients.unnamed();
  return connection[unnamed];
}
