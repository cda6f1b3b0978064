import { constants } from 'node:crypto';
import type { Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { isDeepStrictEqual } from 'node:util';
import type { TlsMaterial } from '../../tls/material.ts';
import { type HandshakeFault, handshakeFaultOf } from './handshake-fault.ts';

export interface TlsConnectionsOptions {
  readonly material: TlsMaterial;
  /** How long a handshake may take in all. */
  readonly handshakeMs: number;
  /** The handshake is done; nothing has been read. `accepted` is the connection below TLS. */
  readonly onSecure: (socket: TLSSocket, accepted: Socket) => void;
  readonly onFault: (fault: HandshakeFault) => void;
}

/**
 * Speaks TLS on connections that a plain listener has accepted. The certificate changes without an effect
 * on the connections that are open.
 */
export class TlsConnections {
  readonly #options: TlsConnectionsOptions;
  /** By both ends: the socket of TLS does not name the one below it, but has the same. */
  readonly #accepted = new Map<string, Socket>();
  #material: TlsMaterial;
  #server: Server;
  #secured = 0;

  constructor(options: TlsConnectionsOptions) {
    this.#options = options;
    this.#material = options.material;
    this.#server = this.#createServer(options.material);
  }

  /** Connections whose handshake is not done. */
  get handshakes(): number {
    return this.#accepted.size - this.#secured;
  }

  /** Later connections use this. */
  setMaterial(material: TlsMaterial): void {
    if (isDeepStrictEqual(material, this.#material)) return;
    this.#material = material;
    this.#server = this.#createServer(material);
  }

  /** Begins the handshake on a connection of which no byte has been read, in this turn of the loop. */
  accept(socket: Socket): void {
    const ends = endsOf(socket);
    this.#accepted.set(ends, socket);
    socket.once('close', () => {
      if (this.#accepted.get(ends) === socket) this.#accepted.delete(ends);
    });
    socket.on('error', () => undefined);
    socket.setNoDelay(true);
    // A client that ends its side in the handshake has left; the socket of TLS takes this over.
    socket.allowHalfOpen = false;
    this.#server.emit('connection', socket);
  }

  /** Closes every connection at once. */
  destroyAll(): void {
    for (const socket of [...this.#accepted.values()]) socket.destroy();
  }

  #createServer({ cert, key, clientCa, ticketKeys, sessionIdContext }: TlsMaterial): Server {
    const { handshakeMs, onSecure, onFault } = this.#options;
    const server = createServer({
      cert,
      key,
      ...(clientCa === null ? {} : { ca: clientCa, requestCert: true }),
      // A client may have a token instead. Access judges the certificate (client-certificates.ts).
      rejectUnauthorized: false,
      minVersion: 'TLSv1.2',
      ALPNProtocols: ['http/1.1'],
      handshakeTimeout: handshakeMs,
      ticketKeys: Buffer.from(ticketKeys, 'base64'),
      sessionIdContext,
      // A client could make the gateway compute one handshake after another on one connection.
      secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
    });
    server.on('secureConnection', (socket) => {
      this.#secured += 1;
      // From now on a client may end its side before it has the response.
      socket.allowHalfOpen = true;
      socket.once('close', () => {
        this.#secured -= 1;
      });
      const accepted = this.#accepted.get(endsOf(socket));
      // A connection that has ended by now.
      if (accepted === undefined) socket.destroy();
      else onSecure(socket, accepted);
    });
    server.on('tlsClientError', (error, socket) => {
      onFault(handshakeFaultOf(error));
      socket.destroy();
    });
    return server;
  }
}

const endsOf = ({ remoteAddress, remotePort, localAddress, localPort }: Socket): string =>
  `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
