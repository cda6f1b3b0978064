/** Whether the meta service serves, by its `/health` (docs/engine-facts.md §11). */
import http from 'node:http';
import { setTimeout as elapse } from 'node:timers/promises';

export type Health =
  | { readonly state: 'serving' }
  /** It responds, but does not serve yet, or is a standby; `why` is its response. */
  | { readonly state: 'waiting'; readonly why: string }
  /** No program responds there. */
  | { readonly state: 'silent'; readonly why: string };

const responseMs = 2000;
const pollMs = 100;
const maxBodyBytes = 64 * 1024;

/** Sends one request, which takes at most 2 s in all; never rejects. */
export function askHealth(url: string, signal?: AbortSignal): Promise<Health> {
  return new Promise((resolve) => {
    let connected = false;
    let request: http.ClientRequest;
    // Only this limits a response that arrives slowly or never ends.
    const deadline = setTimeout(() => {
      request.destroy(new Error(`no complete response in ${responseMs / 1000} s`));
    }, responseMs);
    const settle = (health: Health) => {
      clearTimeout(deadline);
      resolve(health);
    };
    const fail = (why: string) => settle({ state: connected ? 'waiting' : 'silent', why });
    try {
      // Not fetch, which refuses some ports.
      request = http.get(url, { agent: false, ...(signal === undefined ? {} : { signal }) });
    } catch (error) {
      fail(String(error));
      return;
    }
    request.once('socket', (socket) => {
      socket.once('connect', () => {
        connected = true;
      });
    });
    request.once('response', (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        body += chunk;
        if (body.length > maxBodyBytes) request.destroy(new Error('the response is too long'));
      });
      response.once('end', () => settle(judgeResponse(response.statusCode ?? 0, body)));
      response.on('error', (error) => fail(error.message));
    });
    request.once('upgrade', ({ statusCode }, socket) => {
      socket.destroy();
      fail(`it responds with ${statusCode}`);
    });
    request.on('error', (error: NodeJS.ErrnoException) => {
      fail(error.message || (error.code ?? 'it cannot be reached'));
    });
    request.once('close', () => fail('it has closed the connection'));
  });
}

/** 1.0.x says OK; later versions send JSON, and business errors with the status 200 too. */
function judgeResponse(status: number, body: string): Health {
  if (status !== 200) return { state: 'waiting', why: `it responds with ${status}` };
  let members: Record<string, unknown>;
  try {
    const value: unknown = JSON.parse(body);
    members = typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return { state: 'serving' };
  }
  const refuses = (member: string) => String(members[member]) === 'false';
  if (!refuses('service_ready') && !refuses('success')) return { state: 'serving' };
  return { state: 'waiting', why: `it responds with ${body.trim().slice(0, 500)}` };
}

export interface AwaitOptions {
  readonly url: string;
  /** Aborted to end the wait. */
  readonly signal: AbortSignal;
  readonly warnAfterMs: number;
  /** Called once, after `warnAfterMs`; the wait continues. */
  readonly onSlow: (why: string) => void;
}

/** Resolves with true once the service serves, or with false when the signal was aborted before. */
export async function awaitServing(options: AwaitOptions): Promise<boolean> {
  const { url, signal, warnAfterMs, onSlow } = options;
  const begin = performance.now();
  let warned = false;
  const over = () => signal.aborted;
  while (!over()) {
    const health = await askHealth(url, signal);
    // The service may have ended during the request, and another program may have responded.
    if (over()) break;
    if (health.state === 'serving') return true;
    if (!warned && performance.now() - begin >= warnAfterMs) {
      warned = true;
      onSlow(health.why);
    }
    await elapse(pollMs, undefined, { signal }).catch(() => {});
  }
  return false;
}
