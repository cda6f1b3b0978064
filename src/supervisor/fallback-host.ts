/** Loads the fallback server when the supervisor first needs it, and logs and counts its responses. */
import { setTimeout as elapse } from 'node:timers/promises';
import type { Config } from '../config/config.ts';
import type { Access } from '../http/security/access.ts';
import { createLineLimit } from '../log/line-limit.ts';
import type { PoolLog } from '../log/waiting-log.ts';
import type { RuntimeSettings } from '../messages/runtime-settings.ts';
import type { PoolFacts } from './fallback-responses.ts';
import type { FallbackServer, ResponseFacts } from './fallback-server.ts';

export interface FallbackHostOptions extends PoolFacts {
  readonly config: Config;
  readonly tokens: RuntimeSettings['tokens'];
  readonly log: PoolLog;
}

const lastResponsesMs = 300;
const pollMs = 5;

export class FallbackHost {
  readonly #options: FallbackHostOptions;
  readonly #responses = new Map<number, number>();
  readonly #limit = createLineLimit((problem, suppressed) =>
    this.#options.log.warn(
      { problem, suppressed },
      'more requests arrived without a worker; only their number is logged',
    ),
  );
  #loading: Promise<FallbackServer> | undefined;
  #tokens: RuntimeSettings['tokens'];
  /** Loaded together with the server. */
  #access: Access | undefined;

  constructor(options: FallbackHostOptions) {
    this.#options = options;
    this.#tokens = options.tokens;
  }

  setTokens(tokens: RuntimeSettings['tokens']): void {
    this.#tokens = tokens;
    this.#access?.setTokens(tokens);
  }

  /** Responses sent, by status. */
  get responses(): ReadonlyMap<number, number> {
    return this.#responses;
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
    const { config, ...facts } = this.#options;
    const [{ FallbackServer }, { Access }] = await Promise.all([
      import('./fallback-server.ts'),
      import('../http/security/access.ts'),
      import('../node-internals/probe-features.ts').then(({ probeServerFeatures }) =>
        probeServerFeatures(config.disableNodeFeatures),
      ),
    ]);
    this.#access = new Access(config, this.#tokens);
    return new FallbackServer({
      ...facts,
      access: this.#access,
      allowHosts: config.allowHost,
      allowOrigins: config.allowOrigin,
      idleTimeoutMs: config.idleTimeoutMs,
      onResponse: (response) => this.#record(response),
    });
  }

  #record({ error, ...response }: ResponseFacts): void {
    const { log } = this.#options;
    const { status, problem } = response;
    this.#responses.set(status, (this.#responses.get(status) ?? 0) + 1);
    if (error !== undefined) log.error({ ...response, err: error }, 'request failed');
    else if (status >= 500) {
      if (this.#limit.admits(problem ?? String(status)))
        log.warn(response, 'no worker for a request');
    } else if (status >= 400 && this.#limit.admits(problem ?? String(status))) {
      log.info(response, 'request refused');
    }
  }
}
