import { Agent, type IncomingMessage, request } from 'node:http';
import type { CallOptions } from '../transport.ts';

/** The part of `fetch` that requests for buffers need, to the Unix socket of a gateway. */
export interface SocketFetch {
  readonly fetch: typeof fetch;
  /** Closes the idle connections. */
  close(): void;
}

/** Statuses without a body, for which `Response` accepts none. */
const WITHOUT_BODY: ReadonlySet<number> = new Set([204, 304]);

/** The platform's `fetch` has no Unix sockets. Like it, this one rejects with TypeError when a connection fails. */
export function fetchFrom(socketPath: string): SocketFetch {
  const agent = new Agent({ keepAlive: true });
  const send = (input: string | URL, init: RequestInit = {}): Promise<Response> =>
    new Promise((resolve, reject) => {
      const { pathname, search } = new URL(input);
      const signal = init.signal ?? undefined;
      const fail = (cause: unknown): void => {
        const isAborted = signal?.aborted === true;
        reject(isAborted ? (signal.reason as Error) : new TypeError('fetch failed', { cause }));
      };
      const headers = Object.fromEntries(new Headers(init.headers));
      const { method = 'GET', body } = init;
      const call = request(
        { socketPath, agent, method, path: pathname + search, headers, signal },
        (message) => {
          readAll(message).then((text) => resolve(responseOf(message, text)), fail);
        },
      );
      call.on('error', fail);
      call.end(typeof body === 'string' ? body : undefined);
    });
  return { fetch: send as typeof fetch, close: () => agent.destroy() };
}

async function readAll(message: IncomingMessage): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of message as AsyncIterable<Uint8Array>) {
    chunks.push(chunk);
    length += chunk.length;
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

function responseOf({ statusCode = 0, headers }: IncomingMessage, text: Uint8Array<ArrayBuffer>) {
  const named = new Headers();
  for (const [name, value] of Object.entries(headers)) named.set(name, String(value));
  const body = WITHOUT_BODY.has(statusCode) ? null : text;
  return new Response(body, { status: statusCode, headers: named });
}

/** The signal of a call that ends after a time, or earlier with the caller's. */
export function within(timeoutMs: number, { signal }: CallOptions): AbortSignal {
  const timeout = AbortSignal.timeout(timeoutMs);
  return signal === undefined ? timeout : AbortSignal.any([timeout, signal]);
}
