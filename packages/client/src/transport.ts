import { checkToken } from './arguments.ts';
import { errorOf, GatewayError } from './gateway-error.ts';

export interface ClientOptions {
  /** Address of the gateway, such as `http://127.0.0.1:8080`. */
  readonly baseUrl: string;
  /**
   * The token of every request, or a function that returns it, which is called before each attempt. A
   * request with a token follows no redirect, so no other server gets the token.
   */
  readonly token?: string | (() => string | Promise<string>) | undefined;
  /** Headers of every request. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Maximum number of retries when the gateway reports that a retry can succeed; 3 by default. */
  readonly retries?: number | undefined;
  /** Wait before the first retry in ms, doubled for each further one; 100 by default. */
  readonly retryDelayMs?: number | undefined;
  /** Replaces the `fetch` of the platform. */
  readonly fetch?: typeof fetch | undefined;
}

/** How a caller can end a single call early. */
export interface CallOptions {
  /** Ends the call, including the waits between retries, with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Derived from fetch, because Node's types do not name it. */
export type RequestBody = NonNullable<RequestInit['body']>;

export interface Call extends CallOptions {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: RequestBody | undefined;
  /** Statuses that are not retried, whatever the gateway says about the single operation. */
  readonly final?: readonly number[];
  /**
   * Whether the call changes nothing. Such a call is also retried without a response, or after a proxy's
   * response: in these cases a change may already have happened.
   */
  readonly safe: boolean;
}

/** Makes a call and reads its response; retries both if that can help. */
export type Transport = <T>(call: Call, read: (response: Response) => T | Promise<T>) => Promise<T>;

const MAX_DELAY_MS = 10_000;
/** The gateway sends a few seconds; a proxy may send any number. */
const MAX_TOLD_MS = 60_000;

export function createTransport(options: ClientOptions): Transport {
  const { retries = 3, retryDelayMs = 100, headers: common = {} } = options;
  const send = options.fetch ?? fetch;
  const base = options.baseUrl.replace(/\/+$/, '');

  const authorizationOf = async (): Promise<Record<string, string>> => {
    const { token } = options;
    if (token === undefined) return {};
    const text: unknown = typeof token === 'string' ? token : await token();
    checkToken(text, 'the result of options.token');
    return { Authorization: `Bearer ${text}` };
  };

  async function attempt<T>(
    { method, path, headers, body, safe, signal }: Call,
    authorization: Record<string, string>,
    read: (response: Response) => T | Promise<T>,
  ): Promise<T> {
    const response = await send(base + path, {
      method,
      headers: { ...common, ...headers, ...authorization },
      ...(options.token === undefined ? {} : { redirect: 'error' }),
      ...(body === undefined ? {} : { body, ...(isStream(body) ? { duplex: 'half' } : {}) }),
      ...(signal === undefined ? {} : { signal }),
    });
    if (response.status >= 400) {
      throw await errorOf(response, safe);
    }
    return read(response);
  }

  return async (call, read) => {
    // Bytes that were read from a stream cannot be sent again.
    const tries = isStream(call.body) ? 0 : retries;
    for (let tried = 0; ; tried += 1) {
      // Outside of the attempt: a fault of the caller's function is not retried.
      const authorization = await authorizationOf();
      try {
        return await attempt(call, authorization, read);
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

/** Retries a problem that is retryable, and a broken connection of a safe call. */
const canHelp = (error: unknown, { safe, final }: Call): boolean =>
  error instanceof GatewayError
    ? error.retryable && final?.includes(error.status) !== true
    : safe && error instanceof TypeError;

/** A random half, so that clients which failed at the same time do not retry at the same time. */
function delayBefore(tried: number, firstMs: number, error: unknown): number {
  const told = error instanceof GatewayError ? error.retryAfterMs : undefined;
  const delayMs = Math.min(MAX_DELAY_MS, firstMs * 2 ** tried);
  const wait = Math.min(told ?? 0, MAX_TOLD_MS);
  return Math.max(wait, delayMs / 2 + (delayMs / 2) * Math.random());
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
