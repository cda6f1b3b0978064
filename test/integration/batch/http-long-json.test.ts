import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { after, before, describe, it } from 'node:test';
import { type ReadyGateway, startGateway } from '../../helpers/process/gateway.ts';
import { untilIdle } from '../../helpers/process/metrics.ts';

const BODY_BYTES = 64 << 20;
/** A decoder that never pauses lets the worker respond once, when it has ended. */
const MIN_RESPONSES = 20;

/** A JSON escape of the base64 digit for six set bits: the most characters for the least data. */
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

  async function askLive(): Promise<void> {
    const request = http.get(`${gateway.url}/livez`, { agent });
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    response.resume();
    await once(response, 'end');
    assert.equal(response.statusCode, 200);
  }

  /** Returns how often /livez responded, one request after another, from the end of the body to the response. */
  async function put(body: Buffer): Promise<number> {
    const request = http.request(`${gateway.url}/v1/batch/put`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'Content-Length': body.length },
    });
    let done = false;
    const answered = once(request, 'response') as Promise<[http.IncomingMessage]>;
    const received = answered.then(async ([response]) => {
      done = true;
      const text = Buffer.concat((await response.toArray()) as Buffer[]).toString();
      return { text, status: response.statusCode };
    });
    request.end(body);
    await once(request, 'finish');
    let responses = 0;
    for (; !done; responses += 1) await askLive();
    const { text, status } = await received;
    assert.equal(status, 200, text);
    const { items, failed } = JSON.parse(text) as { items: { status: number }[]; failed: number };
    assert.equal(failed, 0, text);
    assert.equal(items.length, 1);
    return responses;
  }

  it('the worker responds to /livez again and again', async () => {
    const body = Buffer.from(`${OPENING}${ESCAPED.repeat(digits)}${CLOSING}`);
    assert.ok(body.length > BODY_BYTES - 16 && body.length <= BODY_BYTES);
    await askLive();
    const responses = await put(body);
    assert.ok(responses >= MIN_RESPONSES, `${responses} responses`);
    const stored = await fetch(`${gateway.url}/v1/objects/long`);
    const value = Buffer.from(await stored.arrayBuffer());
    assert.ok(value.equals(Buffer.alloc(valueBytes, 0xff)), `${value.length} bytes`);
    await untilIdle(gateway.url);
  });
});
