/** Loads the fallback server when the supervisor first needs it, and logs and counts its responses. */
import type { Socket } from 'node:net';
import { setTimeout as elapse } from 'node:timers/promises';
import type { Config } from '../config/config.ts';
import type { Access } from '../http/security/access.ts';
import { createLineLimit } from '../log/line-limit.ts';
import type { PoolLog } from '../log/waiting-log.ts';
import type { RuntimeSettings } from '../messages/runtime-settings.ts';
import type { AdminFacts } from './admin-responses.ts';
import type { PoolFacts } from './fallback-responses.ts';
import type { FallbackServer, ResponseFacts } from './fallback-server.ts';

export interface FallbackHostOptions extends PoolFacts, AdminFacts {
  readonly config: Config;
  readonly runtime: RuntimeSettings;
  readonly log: PoolLog;
}

/** On all listeners of `admin:` together; a kubelet and a few monitors need few. */
export const MAX_ADMIN_CONNECTIONS = 64;
/** The kind of lines about errors that are no problems. */
const DEFECT = 'defect';
const lastResponsesMs = 300;
const pollMs = 5;

export class FallbackHost {
  readonly #options: FallbackHostOptions;
  readonly #handshakeFaults = new Map<string, number>();
  readonly #responses = new Map<number, number>();
  readonly #limit = createLineLimit((problem, suppressed) => {
    const { log } = this.#options;
    const line = { problem, suppressed };
    if (problem === DEFECT) log.error(line, 'more requests failed; only their number is logged');
    else log.warn(line, 'more requests arrived without a worker; only their number is logged');
  });
  #loading: Promise<FallbackServer> | undefined;
  #admin: Promise<FallbackServer> | undefined;
  #probing: Promise<void> | undefined;
  #runtime: RuntimeSettings;
  /** Loaded together with the server. */
  #access: Access | undefined;

  constructor(options: FallbackHostOptions) {
    this.#options = options;
    this.#runtime = options.runtime;
  }

  /** The tokens and certificates apply to later requests and connections. */
  reconfigure(runtime: RuntimeSettings): void {
    const { tokens, tls } = runtime;
    this.#runtime = runtime;
    this.#access?.setTokens(tokens);
    if (tls === null) return;
    this.#access?.setClientCa(tls.clientCa);
    void this.#loading?.then((server) => server.setTls(tls));
  }

  /** Serves health and metrics on a paused connection. */
  acceptAdmin(socket: Socket): void {
    this.#admin ??= this.#loadAdmin();
    void this.#admin.then((server) => server.accept(socket));
  }

  /** Responses sent for lack of a worker, by status. */
  get responses(): ReadonlyMap<number, number> {
    return this.#responses;
  }

  /** Failed TLS handshakes, by reason; undefined before the first one. */
  get handshakeFaults(): ReadonlyMap<string, number> | undefined {
    return this.#handshakeFaults.size === 0 ? undefined : this.#handshakeFaults;
  }

  load(): Promise<FallbackServer> {
    this.#loading ??= this.#load();
    return this.#loading;
  }

  /** Waits a little until the open connections have got their response, unless `isOver`. */
  async lastResponses(isOver: () => boolean): Promise<void> {
    const server = await this.#loading;
    const until = performance.now() + lastResponsesMs;
    while ((server?.connections ?? 0) > 0 && !isOver() && performance.now() < until) {
      await elapse(pollMs);
    }
    this.#limit.flush();
  }

  async #load(): Promise<FallbackServer> {
    const [{ FallbackServer }, { Access }, { fallbackResponse }, secure] = await Promise.all([
      ...this.#parts(),
      import('./fallback-responses.ts'),
      this.#runtime.tls === null ? undefined : import('../http/connection/tls-connections.ts'),
    ]);
    // Read after the loading, since they may have changed meanwhile.
    const { tokens, tls } = this.#runtime;
    const access = new Access(this.#options.config, tokens, tls?.clientCa);
    this.#access = access;
    return new FallbackServer({
      ...this.#common(access),
      onResponse: (response) => this.#record(response),
      onHandshakeFault: (fault) =>
        this.#handshakeFaults.set(fault, (this.#handshakeFaults.get(fault) ?? 0) + 1),
      trustedProxy: this.#options.config.trustedProxy,
      proxyProtocol: this.#options.config.proxyProtocol,
      respond: (request, guards) => fallbackResponse(request, guards, this.#options),
      ...(tls === null || secure === undefined ? {} : { tls: { ...secure, material: tls } }),
    });
  }

  async #loadAdmin(): Promise<FallbackServer> {
    const [{ FallbackServer }, { Access }, { adminResponse }] = await Promise.all([
      ...this.#parts(),
      import('./admin-responses.ts'),
    ]);
    return new FallbackServer({
      ...this.#common(new Access({ ...this.#options.config, protect: [] }, null)),
      onResponse: (response) => this.#recordAdmin(response),
      // Kubelet and Prometheus connect without a proxy.
      trustedProxy: [],
      proxyProtocol: false,
      respond: (request, guards) => adminResponse(request, guards, this.#options),
      maxConnections: MAX_ADMIN_CONNECTIONS,
    });
  }

  #parts() {
    const { disableNodeFeatures } = this.#options.config;
    this.#probing ??= import('../node-internals/probe-features.ts').then(
      ({ probeServerFeatures }) => probeServerFeatures(disableNodeFeatures),
    );
    const probed = this.#probing;
    return [
      import('./fallback-server.ts').then((loaded) => probed.then(() => loaded)),
      import('../http/security/access.ts'),
    ] as const;
  }

  #common(access: Access) {
    const { allowHost, allowOrigin, idleTimeoutMs } = this.#options.config;
    return {
      access,
      allowHosts: allowHost,
      allowOrigins: allowOrigin,
      idleTimeoutMs,
    };
  }

  #record(response: ResponseFacts): void {
    const { status } = response;
    this.#responses.set(status, (this.#responses.get(status) ?? 0) + 1);
    this.#write(response);
  }

  /** The supervisor serves these requests always, and not for lack of a worker. Probes need no line in the log. */
  #recordAdmin(response: ResponseFacts): void {
    if (response.problem !== 'not-ready') this.#write(response);
  }

  #write({ error, ...response }: ResponseFacts): void {
    const { log } = this.#options;
    const { status, problem } = response;
    if (error !== undefined) {
      if (this.#limit.admits(DEFECT)) log.error({ ...response, err: error }, 'request failed');
    } else if (status >= 500) {
      if (this.#limit.admits(problem ?? String(status)))
        log.warn(response, 'no worker for a request');
    } else if (status >= 400 && this.#limit.admits(problem ?? String(status))) {
      log.info(response, 'request refused');
    }
  }
}
