import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Config } from '../../config/config.ts';
import { workerPlaces } from '../../config/listen.ts';
import { isLoopback } from '../../engine-config/host-text.ts';
import { ProblemError } from '../../errors/problems.ts';
import type { TokenEntry } from '../../tokens/token.ts';
import { hasExpired, TokenTable } from '../../tokens/token-table.ts';
import { ClientCertificates, withoutCertificate } from './client-certificates.ts';
import { challenge, everything, type Grant, invalid, nothing, overNetwork } from './grant.ts';

/** Besides everything below /v1/, what an operator can protect by tokens. */
export type ProtectedPart = 'metrics' | 'docs';

type AccessConfig = Pick<Config, 'host' | 'port' | 'listen' | 'protect' | 'tlsClientScopes'>;

/**
 * Who sent a request, and which paths need a token or a client certificate. The supervisor and each worker
 * have one.
 */
export class Access {
  readonly #parts: ReadonlySet<string>;
  readonly #isLocal: (socket: Socket) => boolean;
  /** Undefined when no request needs a token. */
  #table: TokenTable | undefined;
  readonly #certificates: ClientCertificates | undefined;
  #generation = 0;

  /** `clientCa`: the authorities of client certificates, in PEM. */
  constructor(
    config: AccessConfig,
    tokens: readonly TokenEntry[] | null,
    clientCa?: string | null,
  ) {
    this.#certificates =
      clientCa == null ? undefined : new ClientCertificates(config.tlsClientScopes, clientCa);
    this.#parts = new Set(config.protect);
    this.#isLocal = localConnections(config);
    this.setTokens(tokens);
  }

  /** Replaces the tokens. What connections remember does not count any more. */
  setTokens(tokens: readonly TokenEntry[] | null): void {
    this.#generation += 1;
    this.#table = tokens === null ? undefined : new TokenTable(tokens);
  }

  /** Replaces the authorities of client certificates. */
  setClientCa(clientCa: string | null): void {
    if (clientCa !== null) this.#certificates?.setClientCa(clientCa);
  }

  /**
   * What a request may do, by its token, else by the certificate of its client, else by its listener. A
   * token alone decides where there is one, also if it is not valid.
   */
  identify({ headers, socket }: Pick<IncomingMessage, 'headers' | 'socket'>): Grant {
    if (this.#table === undefined) {
      const own = this.#certificates?.grantOf(socket);
      return own ?? (this.#isLocal(socket) ? everything : overNetwork);
    }
    const { authorization } = headers;
    const entry =
      authorization === undefined
        ? nothing
        : (this.#recall(socket, authorization) ?? this.#verify(socket, authorization));
    if (entry === nothing) return this.#byCertificate(socket);
    if (!('expiresMs' in entry) || entry.expiresMs === null) return entry;
    return hasExpired(entry, Date.now()) ? expired(entry) : entry;
  }

  /** The entry of the last request of this connection, if it had the same header and the tokens are the same. */
  #recall(socket: Remembering, authorization: string): TokenEntry | undefined {
    const last = socket[remembered];
    if (last === undefined || last.generation !== this.#generation) return undefined;
    return sameText(last.authorization, authorization) ? last.entry : undefined;
  }

  /** Of a request without a token, where there are tokens. */
  #byCertificate(socket: Socket): Grant {
    const own = this.#certificates?.grantOf(socket);
    return own === undefined || own === withoutCertificate ? nothing : own;
  }

  #verify(socket: Remembering, authorization: string): TokenEntry | Grant {
    const token = bearerOf(authorization);
    if (token === undefined) return nothing;
    const entry = this.#table?.verify(token);
    if (entry === undefined) return invalid;
    socket[remembered] = { authorization, entry, generation: this.#generation };
    return entry;
  }

  /** Whether this part needs a token, whatever its scopes are. */
  protects(part: ProtectedPart): boolean {
    return this.#needsProof && this.#parts.has(part);
  }

  get #needsProof(): boolean {
    return this.#table !== undefined || this.#certificates !== undefined;
  }

  /** Whether a path needs a token or a certificate, unless the listener of the request needs none. With the documents protected, everything does that is not listed as open. */
  needsToken(path: string): boolean {
    if (!this.#needsProof || path === '/livez' || path === '/readyz') return false;
    if (path === '/metrics') return this.protects('metrics');
    return path.startsWith('/v1/') || this.protects('docs');
  }
}

/** The token of an Authorization header; undefined for another scheme, which is no token at all. */
function bearerOf(header: string): string | undefined {
  if (header.startsWith('Bearer mcg_')) return header.slice('Bearer '.length);
  return /^bearer(?:$| +)(.*)$/is.exec(header)?.[1];
}

/** The client has proved that it knows the secret, so the reason tells it nothing about other tokens. */
const expired = ({ id, expiresMs }: TokenEntry): Grant => ({
  ...invalid,
  refusal: new ProblemError('token-invalid', {
    detail: `The token ${id} has expired at ${new Date(expiresMs ?? 0).toISOString()}.`,
    headers: challenge('invalid_token'),
  }),
});

/**
 * The last token of each connection that was verified, so that SHA-256 is computed once for a connection
 * and not for each request. It is on the socket, so there are no more of them than connections, and a
 * wrong token displaces none.
 */
const remembered = Symbol('token');
interface Remembered {
  readonly authorization: string;
  readonly entry: TokenEntry;
  readonly generation: number;
}
type Remembering = Socket & { [remembered]?: Remembered };

/** Takes the same time wherever texts of one length differ: a proxy may send requests of several clients on a connection. */
function sameText(known: string, given: string): boolean {
  if (known.length !== given.length) return false;
  let difference = 0;
  for (let at = 0; at < known.length; at++) {
    difference |= known.charCodeAt(at) ^ given.charCodeAt(at);
  }
  return difference === 0;
}

const verdict = Symbol('isLocal');
type Judged = Socket & { [verdict]?: boolean | undefined };

/**
 * Tells whether a connection has come through a loopback or Unix listener. If an address of a network
 * could have the same port, it counts as one of the network: the scope admin is then refused, which is
 * the safe mistake.
 */
function localConnections(config: AccessConfig): (socket: Socket) => boolean {
  const places = workerPlaces(config);
  const tcp = places.flatMap((place) => ('host' in place ? [place] : []));
  const network = tcp.filter((place) => !isLoopback(place.host));
  if (network.length === 0) return () => true;
  const loopback = tcp.filter((place) => isLoopback(place.host));
  const hasUnix = tcp.length < places.length;
  const judge = ({ destroyed, localAddress, localPort }: Socket): boolean => {
    // A socket that is closed has no address any more.
    if (destroyed) return false;
    if (localAddress === undefined) return hasUnix;
    const hasPort = (place: { port: number }) => place.port === 0 || place.port === localPort;
    return isLoopback(localAddress) && loopback.some(hasPort) && !network.some(hasPort);
  };
  return (socket: Judged) => {
    socket[verdict] ??= judge(socket);
    return socket[verdict];
  };
}
