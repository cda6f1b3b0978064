/** The meta service's own word on whether it serves: its `/health` (engine.md §5). */
import http from 'node:http';
import { setTimeout as elapse } from 'node:timers/promises';

export type Health =
  | { readonly state: 'serving' }
  /** It answers, but not yet, or as a standby not at all; `why` in its own words. */
  | { readonly state: 'waiting'; readonly why: string }
  /** Nobody answers there. */
  | { readonly state: 'silent'; readonly why: string };

const answerMs = 2000;
const pollMs = 100;
const maxAnswerBytes = 64 * 1024;

/** Asks once, for at most 2 s in all; never rejects. */
export function askHealth(url: string, signal?: AbortSignal): Promise<Health> {
  return new Promise((resolve) => {
    let connected = false;
    let request: http.ClientRequest;
    // Whatever comes bit by bit, or without an end, is bounded by this alone.
    const deadline = setTimeout(() => {
      request.destroy(new Error(`no whole answer in ${answerMs / 1000} s`));
    }, answerMs);
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
        if (body.length > maxAnswerBytes) request.destroy(new Error('the answer has no end'));
      });
      response.once('end', () => settle(judgeAnswer(response.statusCode ?? 0, body)));
      response.on('error', (error) => fail(error.message));
    });
    request.once('upgrade', ({ statusCode }, socket) => {
      socket.destroy();
      fail(`it answers ${statusCode}`);
    });
    request.on('error', (error: NodeJS.ErrnoException) => {
      fail(error.message || (error.code ?? 'it cannot be reached'));
    });
    request.once('close', () => fail('it has closed the connection'));
  });
}

/** 1.0.x says OK; later versions send JSON, and business errors with the status 200 too. */
function judgeAnswer(status: number, body: string): Health {
  if (status !== 200) return { state: 'waiting', why: `it answers ${status}` };
  let members: Record<string, unknown>;
  try {
    const value: unknown = JSON.parse(body);
    members = typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return { state: 'serving' };
  }
  const refuses = (member: string) => String(members[member]) === 'false';
  if (!refuses('service_ready') && !refuses('success')) return { state: 'serving' };
  return { state: 'waiting', why: `it answers ${body.trim().slice(0, 500)}` };
}

export interface AwaitOptions {
  readonly url: string;
  /** Aborted when there is nothing to wait for any more. */
  readonly signal: AbortSignal;
  readonly warnAfterMs: number;
  /** Told once, when it takes so long; the wait goes on. */
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
    // It may have ended while it was asked, and then somebody else has answered.
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
