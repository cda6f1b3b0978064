import type { X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { ClientRule } from '../../config/tls/client-scopes.ts';
import { ProblemError, sharedProblem } from '../../errors/problems.ts';
import { isEncrypted } from '../../node-internals/node-features.ts';
import { certificatesIn, leadsTo } from '../../tls/certificates.ts';
import type { Grant } from './grant.ts';

/** The judgement on the certificate of a connection. */
interface Judgement {
  readonly grant: Grant;
  /** From this time on the certificate is refused, in milliseconds since 1970. */
  readonly expiresMs: number;
  readonly generation: number;
}
const judgement = Symbol('client certificate');
type Judged = Socket &
  Pick<TLSSocket, 'authorized' | 'authorizationError' | 'getPeerX509Certificate'> & {
    [judgement]?: Judgement;
  };

const without = { id: undefined, scopes: [], prefixes: [] };
const refused = (refusal: ProblemError): Grant => ({ ...without, refusal });

/** Of a connection without a certificate. */
export const withoutCertificate = refused(
  sharedProblem('certificate-required', {
    detail:
      'The client has sent no certificate, and the gateway needs one that its client CA has signed.',
  }),
);

/** Of an invalid certificate. The connection ends, since its certificate cannot change. */
const invalid = (reason: string): Grant =>
  refused(
    new ProblemError('certificate-required', {
      detail: `The certificate of the client is not valid here: ${reason}.`,
      headers: { Connection: 'close' },
    }),
  );

/** What the client certificates of the connections permit. */
export class ClientCertificates {
  readonly #rules: ReadonlyMap<string, ClientRule>;
  #clientCa: string;
  #authorities: readonly X509Certificate[] | undefined;
  #generation = 0;

  constructor(rules: readonly ClientRule[], clientCa: string) {
    this.#rules = new Map(rules.map((rule) => [rule.name, rule]));
    this.#clientCa = clientCa;
  }

  /** A certificate on an open connection counts only if it is also one of the new authorities. */
  setClientCa(clientCa: string): void {
    if (clientCa === this.#clientCa) return;
    this.#clientCa = clientCa;
    this.#authorities = certificatesIn(clientCa);
    this.#generation += 1;
  }

  /** What a request on a connection may do; undefined for a connection without TLS. */
  grantOf(socket: Socket, nowMs = Date.now()): Grant | undefined {
    if (!isEncrypted(socket)) return undefined;
    const judged = socket as Judged;
    const known = judged[judgement];
    const isKnown = known !== undefined && known.generation === this.#generation;
    const { grant, expiresMs } = isKnown ? known : this.#judge(judged);
    return nowMs < expiresMs ? grant : invalid('it has expired');
  }

  #judge(socket: Judged): Judgement {
    const certificate = socket.destroyed ? undefined : socket.getPeerX509Certificate();
    const grant =
      certificate === undefined ? withoutCertificate : this.#grantTo(socket, certificate);
    const expiresMs =
      certificate === undefined ? Number.POSITIVE_INFINITY : Date.parse(certificate.validTo);
    const result = { grant, expiresMs, generation: this.#generation };
    socket[judgement] = result;
    return result;
  }

  /**
   * OpenSSL has verified the chain in the handshake, by the authorities of that time. `authorized` alone does
   * not suffice: Node also sets it on a resumed session without a certificate.
   */
  #grantTo(socket: Judged, certificate: X509Certificate): Grant {
    if (!socket.authorized) return invalid(reasonOf(socket.authorizationError));
    if (this.#authorities !== undefined && !leadsTo(certificate, this.#authorities)) {
      return invalid('the client CA has changed; connect again');
    }
    const { CN: name } = certificate.toLegacyObject().subject as { CN?: string | string[] };
    // With several common names it is not certain which one is meant.
    if (typeof name !== 'string') return { ...without, certificate: '' };
    const rule = this.#rules.get(name) ?? this.#rules.get('*');
    return { ...without, scopes: rule?.scopes ?? [], certificate: name };
  }
}

/** A word of OpenSSL, such as CERT_HAS_EXPIRED. */
const reasonOf = (error: unknown): string =>
  typeof error === 'string' ? error : error instanceof Error ? error.message : 'it is not verified';
