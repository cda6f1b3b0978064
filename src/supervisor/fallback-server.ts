import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { type ProblemSlug, problemKinds } from '../errors/problems.ts';
import { HeldBytes } from '../http/body/held-bytes.ts';
import { ClientAddresses, takeAddress } from '../http/clients/client-address.ts';
import { ProxyConnections } from '../http/clients/proxy-connections.ts';
import { type ClientError, faultOf, writeProblem } from '../http/connection/client-error.ts';
import { refuseConnect } from '../http/connection/connect.ts';
import {
  type ConnectionHandler,
  handleConnections,
} from '../http/connection/connection-handler.ts';
import { createConnectionServer } from '../http/connection/connection-server.ts';
import type { HandshakeFault } from '../http/connection/handshake-fault.ts';
import { discardInput, discardRequest } from '../http/connection/linger.ts';
import { PipelineLimit } from '../http/connection/pipeline-limit.ts';
import type { TlsConnections } from '../http/connection/tls-connections.ts';
import { requestIdOf } from '../http/request/request-id.ts';
import { type SpanIds, traceMembers, traceParentOf } from '../http/request/trace-context.ts';
import { type AllowedOrigin, allowedOrigins } from '../http/response/cors.ts';
import { sendLastResponse } from '../http/response/problem.ts';
import type { Access } from '../http/security/access.ts';
import type { Expectation } from '../http/security/head.ts';
import { type BrowserGuard, browserGuard } from '../http/security/host.ts';
import { isOverTls } from '../messages/listening.ts';
import type { TlsMaterial } from '../tls/material.ts';
import type { FallbackGuards, FallbackRequest, FallbackResponse } from './fallback-responses.ts';

export interface FallbackOptions {
  readonly respond: (request: FallbackRequest, guards: FallbackGuards) => Promise<FallbackResponse>;
  /** For the connections of listeners with TLS; without it they are closed. */
  readonly tls?: FallbackTls | undefined;
  /** A connection beyond this number closes the one that has been open for longest; undefined for no limit. */
  readonly maxConnections?: number;
  readonly access: Access;
  readonly allowHosts: readonly string[];
  readonly allowOrigins: readonly string[];
  readonly trustedProxy: readonly string[];
  readonly proxyProtocol: boolean;
  /** How long the head of a request may take. */
  readonly idleTimeoutMs: number;
  readonly onResponse: (response: ResponseFacts) => void;
  /** A TLS handshake has failed. */
  readonly onHandshakeFault?: (fault: HandshakeFault) => unknown;
}

/** TLS, whose code is loaded only where it is needed. */
export interface FallbackTls {
  readonly material: TlsMaterial;
  readonly TlsConnections: typeof TlsConnections;
}

/** One response, for the log and the metrics. */
export interface ResponseFacts extends Partial<SpanIds> {
  readonly status: number;
  readonly requestId: string;
  /** Absent when the request was not HTTP. */
  readonly method?: string | undefined;
  readonly problem?: ProblemSlug | undefined;
  /** An error that is no problem: a defect of the gateway. */
  readonly error?: unknown;
}

/** A connection ends after this time, whatever its client does. */
const connectionMs = 35_000;
/** Memory of the requests that are not served, on all connections; 64 KiB of them take up to 10 MiB. */
const ignoredBytes = 32 * 1024 * 1024;

/**
 * Serves connections while no worker can. Each connection gets one response and is closed, so that its
 * client connects again and reaches a worker as soon as one is ready.
 */
export class FallbackServer implements ConnectionHandler {
  readonly #options: FallbackOptions;
  readonly #guard: BrowserGuard;
  readonly #allowedOrigin: AllowedOrigin;
  readonly #server: Server;
  readonly #tls: TlsConnections | undefined;
  readonly #proxied: ProxyConnections;
  readonly #pipelines = new PipelineLimit({ heldText: new HeldBytes(ignoredBytes) }, () => {});
  /** Connections that have had their request. */
  readonly #served = new WeakSet<Socket>();
  /** Connections that are open, the oldest one first. */
  readonly #open = new Set<Socket>();

  constructor(options: FallbackOptions) {
    this.#options = options;
    this.#guard = browserGuard(options);
    this.#allowedOrigin = allowedOrigins(options.allowOrigins);
    this.#server = createConnectionServer({ idleTimeoutMs: options.idleTimeoutMs });
    handleConnections(this.#server, this);
    this.#tls = this.#createTls();
    this.#proxied = new ProxyConnections(new ClientAddresses(options.trustedProxy), options);
  }

  /** Later connections use this. */
  setTls(material: TlsMaterial): void {
    this.#tls?.setMaterial(material);
  }

  /** Connections that are open. */
  get connections(): number {
    return this.#open.size;
  }

  /** Serves one paused connection. */
  accept(socket: Socket): void {
    const { maxConnections = Number.POSITIVE_INFINITY } = this.#options;
    // Clients that send nothing must not keep a probe out.
    if (this.#open.size >= maxConnections) this.#closeOldest();
    this.#open.add(socket);
    const timer = setTimeout(() => socket.destroy(), connectionMs).unref();
    socket.once('close', () => {
      this.#open.delete(socket);
      clearTimeout(timer);
    });
    socket.on('error', () => {});
    const isTls = isOverTls(socket);
    this.#proxied.accept(socket, isTls, (ready) => {
      if (!isTls) this.#server.emit('connection', ready);
      else if (this.#tls === undefined) ready.destroy();
      else this.#tls.accept(ready);
    });
    if (!isTls) socket.resume();
  }

  #closeOldest(): void {
    const [oldest] = this.#open;
    if (oldest === undefined) return;
    this.#open.delete(oldest);
    oldest.destroy();
  }

  #createTls(): TlsConnections | undefined {
    const { tls, idleTimeoutMs } = this.#options;
    if (tls === undefined) return undefined;
    const server = createConnectionServer({ idleTimeoutMs, isTls: true });
    handleConnections(server, this);
    return new tls.TlsConnections({
      material: tls.material,
      handshakeMs: idleTimeoutMs,
      onSecure(socket, accepted) {
        takeAddress(socket, accepted);
        socket.on('error', () => {});
        server.emit('connection', socket);
      },
      onFault: (fault) => this.#options.onHandshakeFault?.(fault),
    });
  }

  /** The response is final: a client that expects a 100 is not invited to send a body. */
  request(req: IncomingMessage, res: ServerResponse, expectation: Expectation): void {
    req.on('error', () => {});
    res.on('error', () => {});
    if (!this.#isFirst(req.socket)) {
      discardRequest(req);
      this.#pipelines.ignore(req);
      return;
    }
    const { method = 'GET' } = req;
    const requestId = requestIdOf(req.headers['x-request-id']);
    const request = { req, requestId, expectation };
    const { access } = this.#options;
    const guards = { guard: this.#guard, allowedOrigin: this.#allowedOrigin, access };
    void this.#options.respond(request, guards).then((response) => {
      const { status, headers, body, ...reasons } = response;
      const trace = traceMembers(traceParentOf(req.headers));
      this.#options.onResponse({ status, requestId, ...trace, method: req.method, ...reasons });
      sendLastResponse(res, method, { status, headers, body });
    });
  }

  connect(req: IncomingMessage): void {
    if (!this.#isFirst(req.socket)) {
      discardRequest(req);
      return;
    }
    refuseConnect(req, this.#guard, ({ requestId, method, res: { statusCode: status }, problem }) =>
      this.#options.onResponse({ status, requestId, method, problem }),
    );
  }

  clientError(error: ClientError, socket: Socket): void {
    const fault = faultOf(error);
    if (fault === undefined) {
      socket.destroy();
    } else if (this.#isFirst(socket)) {
      const requestId = requestIdOf(undefined);
      const { slug } = fault;
      this.#options.onResponse({ status: problemKinds[slug].status, requestId, problem: slug });
      writeProblem(socket, fault, requestId);
    } else {
      discardInput(socket);
    }
  }

  /** Whether a connection gets its response now. Everything behind that request is discarded. */
  #isFirst(socket: Socket): boolean {
    const isFirst = !this.#served.has(socket);
    this.#served.add(socket);
    return isFirst;
  }
}
