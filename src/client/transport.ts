import { GatewayError, type Problem, problemOf } from './gateway-error.ts';

export interface ClientOptions {
  /** Where the gateway is, such as `http://127.0.0.1:8080`. */
  readonly baseUrl: string;
  /** Sent with every request, such as `Authorization`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Times that a request is tried again when the gateway says that this can help; 3 by default. */
  readonly retries?: number;
  /** Wait before the first of them, doubled for each further one, in ms; 100 by default. */
  readonly retryDelayMs?: number;
  /** Another fetch than the platform's. */
  readonly fetch?: typeof fetch;
}

/** How a single call may end before its time. */
export interface CallOptions {
  /** Ends the call, its waits between tries included, with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Named by way of fetch, since Node's types do not name it. */
export type RequestBody = NonNullable<RequestInit['body']>;

export interface Call extends CallOptions {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: RequestBody | undefined;
  /** Answers below 400 are always given to `read`; these are too. */
  readonly expected?: readonly number[];
  /** Statuses after which it is not tried again, whatever the gateway says of the single operation. */
  readonly final?: readonly number[];
  /**
   * Whether the call changes nothing, so that it may also be tried again when no answer came at all, or
   * a proxy's: of a change nobody knows then whether it happened.
   */
  readonly safe: boolean;
}

/** Makes a call and reads its answer, trying both again where that can help. */
export type Transport = <T>(call: Call, read: (response: Response) => T | Promise<T>) => Promise<T>;

const MOST_DELAY_MS = 10_000;

export function createTransport(options: ClientOptions): Transport {
  const { retries = 3, retryDelayMs = 100, headers: common = {} } = options;
  const send = options.fetch ?? fetch;
  const base = options.baseUrl.replace(/\/+$/, '');

  async function attempt<T>(
    { method, path, headers, body, expected, safe, signal }: Call,
    read: (response: Response) => T | Promise<T>,
  ): Promise<T> {
    const response = await send(base + path, {
      method,
      headers: { ...common, ...headers },
      ...(body === undefined ? {} : { body, ...(isStream(body) ? { duplex: 'half' } : {}) }),
      ...(signal === undefined ? {} : { signal }),
    });
    if (response.status >= 400 && expected?.includes(response.status) !== true) {
      throw new GatewayError(await problemOf(response, safe));
    }
    return read(response);
  }

  return async (call, read) => {
    // What was read from a stream cannot be sent again.
    const tries = isStream(call.body) ? 0 : retries;
    for (let tried = 0; ; tried += 1) {
      try {
        return await attempt(call, read);
      } catch (error) {
        call.signal?.throwIfAborted();
        if (tried >= tries || !canHelp(error, call)) throw error;
        await pause(delayBefore(tried, retryDelayMs, error), call.signal);
      }
    }
  };
}

const isStream = (body: RequestBody | undefined): boolean =>
  typeof body === 'object' && 'getReader' in body;

/** Only a refusal that says so; and a broken connection, where nothing can have been changed. */
const canHelp = (error: unknown, { safe, final }: Call): boolean =>
  error instanceof GatewayError
    ? error.retryable && final?.includes(error.status) !== true
    : safe && error instanceof TypeError;

/** A random half keeps clients that failed together from coming back together. */
function delayBefore(tried: number, firstMs: number, error: unknown): number {
  const told: Problem['retryAfterMs'] =
    error instanceof GatewayError ? error.problem.retryAfterMs : undefined;
  const delayMs = Math.min(MOST_DELAY_MS, firstMs * 2 ** tried);
  return Math.max(told ?? 0, delayMs / 2 + (delayMs / 2) * Math.random());
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', end);
      resolve();
    }, ms);
    signal?.addEventListener('abort', end, { once: true });
  });
}
