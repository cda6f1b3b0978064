import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { after, before, describe, it } from 'node:test';
import { setTimeout as elapse } from 'node:timers/promises';
import { type ReadyGateway, startGateway } from '../helpers/gateway.ts';
import { untilIdle } from '../helpers/metrics.ts';

const BODY_BYTES = 64 << 20;
/** Of the decoding time; a decoder that never pauses delays a response by nearly all of it. */
const MAX_SHARE = 1 / 4;
const ATTEMPTS = 3;

/** A JSON escape of the base64 digit for six set bits: the most characters for the fewest bytes. */
const ESCAPED = '\\/';
const OPENING = '{"ifExists":"replace","items":[{"key":"long","value":"';
const CLOSING = '"}]}';
/** A multiple of four digits has no padding. */
const digits = 4 * Math.floor((BODY_BYTES - OPENING.length - CLOSING.length) / ESCAPED.length / 4);
const valueBytes = (digits / 4) * 3;

describe('while a worker decodes the longest JSON body', { timeout: 60_000 }, () => {
  let gateway: ReadyGateway;
  let agent: http.Agent;
  before(async () => {
    agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    gateway = await startGateway({ args: ['--batch-json-bytes', '64MiB'] });
  });
  after(async () => {
    agent.destroy();
    await gateway.kill();
  });

  /** Milliseconds until GET /livez has been answered over the kept connection. */
  async function liveMs(): Promise<number> {
    const startMs = performance.now();
    const request = http.get(`${gateway.url}/livez`, { agent });
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    response.resume();
    await once(response, 'end');
    assert.equal(response.statusCode, 200);
    return performance.now() - startMs;
  }

  /** How long the worker took for the body once it was sent, and the slowest /livez in that time. */
  async function put(body: Buffer): Promise<{ decodingMs: number; slowestMs: number }> {
    let sentMs = 0;
    let slowestMs = 0;
    const request = http.request(`${gateway.url}/v1/batch/put`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'Content-Length': body.length },
    });
    const answered = once(request, 'response') as Promise<[http.IncomingMessage]>;
    const received = answered.then(async ([response]) => {
      const decodingMs = performance.now() - sentMs;
      const chunks = (await response.toArray()) as Buffer[];
      return { decodingMs, text: Buffer.concat(chunks).toString(), status: response.statusCode };
    });
    request.end(body);
    await once(request, 'finish');
    sentMs = performance.now();
    let done = false;
    void received.finally(() => {
      done = true;
    });
    while (!done) {
      slowestMs = Math.max(slowestMs, await liveMs());
      await elapse(1);
    }
    const { decodingMs, text, status } = await received;
    assert.equal(status, 200, text);
    const { items, failed } = JSON.parse(text) as { items: { status: number }[]; failed: number };
    assert.equal(failed, 0, text);
    assert.equal(items.length, 1);
    return { decodingMs, slowestMs };
  }

  it('the worker answers /livez in a small part of the time', async (t) => {
    const body = Buffer.from(`${OPENING}${ESCAPED.repeat(digits)}${CLOSING}`);
    assert.ok(body.length > BODY_BYTES - 16 && body.length <= BODY_BYTES);
    await liveMs();
    const shares: number[] = [];
    // A machine that is busy for a moment delays a response, too.
    while (shares.length < ATTEMPTS && (shares.at(-1) ?? 1) > MAX_SHARE) {
      const { decodingMs, slowestMs } = await put(body);
      t.diagnostic(
        `decoding ${Math.round(decodingMs)} ms, slowest /livez ${Math.round(slowestMs)} ms`,
      );
      shares.push(slowestMs / decodingMs);
    }
    assert.ok((shares.at(-1) as number) <= MAX_SHARE, `shares of the decoding time: ${shares}`);
    const stored = await fetch(`${gateway.url}/v1/objects/long`);
    const value = Buffer.from(await stored.arrayBuffer());
    assert.ok(value.equals(Buffer.alloc(valueBytes, 0xff)), `${value.length} bytes`);
    await untilIdle(gateway.url);
  });
});
