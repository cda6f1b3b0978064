/** Random operations of one client over HTTP, each held against the model. */
import assert from 'node:assert/strict';
import { Agent, type IncomingMessage, request } from 'node:http';
import { absent, type ModelKey } from './model.ts';
import { bytesOf, type Random, type Value } from './values.ts';

export interface ClientOptions {
  readonly url: string;
  readonly random: Random;
  readonly keys: readonly ModelKey[];
  /** Whether the engine may fail: then 5xx, 404 with a retry and the like are answers, not faults. */
  readonly faults: boolean;
  readonly nextVersion: () => number;
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

/** Undefined when the client broke off. */
type Outcome = Answer | undefined;

/** Sizes around all that the gateway decides by: one write, calls on this thread, direct reading. */
const LENGTHS = [1, 7, 100, 1024, 14_336, 14_337, 65_536, 131_072, 131_073, 200_000, 700_001];

export function createClient({ url, random, keys, faults, nextVersion }: ClientOptions) {
  const agent = new Agent({ keepAlive: true, maxSockets: 3 });
  const { hostname, port } = new URL(url);

  function send(
    method: string,
    path: string,
    options: { headers?: Record<string, string>; body?: Buffer; breakOff?: boolean } = {},
  ): Promise<Outcome> {
    const { headers = {}, body, breakOff = false } = options;
    return new Promise((resolve, reject) => {
      const req = request({ agent, hostname, port, method, path, headers }, (res) => {
        const chunks: Buffer[] = [];
        res.on('data', (chunk: Buffer) => {
          chunks.push(chunk);
          if (breakOff) req.destroy();
        });
        res.on('end', () => {
          resolve({
            status: res.statusCode ?? 0,
            headers: res.headers,
            body: Buffer.concat(chunks),
          });
        });
        res.on('error', () => (breakOff ? resolve(undefined) : reject(new Error('cut off'))));
      });
      req.on('error', (error) => (breakOff ? resolve(undefined) : reject(error)));
      if (body === undefined) {
        req.end();
        if (breakOff && random.chance(0.5)) req.destroy();
        return;
      }
      if (random.chance(0.8)) req.setHeader('Content-Length', body.length);
      // Broken off anywhere, or behind its last byte, when it may have been stored.
      const cut = breakOff ? random.between(0, body.length + 1) : body.length;
      const middle = random.between(0, cut + 1);
      req.write(body.subarray(0, middle));
      if (!breakOff) req.end(body.subarray(middle));
      else req.write(body.subarray(middle, cut), () => req.destroy());
    });
  }

  const isFault = ({ status, headers }: Answer): boolean =>
    faults && (status >= 500 || (status !== 404 && headers['retry-after'] !== undefined));

  async function put(key: ModelKey): Promise<void> {
    const value: Value = { version: nextVersion(), length: lengthOf() };
    const mode = random.pick(['fail', 'fail', 'keep', 'replace'] as const);
    const condition = mode === 'fail' && random.chance(0.2);
    const answer = await send('PUT', `${pathOf(key)}?ifExists=${mode}`, {
      body: bytesOf(value),
      headers: condition ? { 'If-None-Match': '*' } : {},
      breakOff: random.chance(0.05),
    });
    if (answer === undefined || isFault(answer)) {
      // A replacement that fails may have removed what was there.
      key.mayBecome(value, ...(mode === 'replace' ? ([absent] as const) : []));
      return;
    }
    const { status } = answer;
    const outcome = answer.headers['memcache-outcome'];
    if (status === 201 || outcome === 'replaced') {
      if (status === 201) assert.ok(key.mayBeAbsent, `${key.key} was there`);
      else assert.ok(key.mayExist, `${key.key} was not there`);
      key.becomes(value);
      return;
    }
    assert.ok(key.mayExist, `${status} though ${key.key} was not there`);
    if (mode === 'keep') assert.deepEqual([status, outcome], [200, 'kept']);
    else assert.equal(status, condition ? 412 : 409);
  }

  async function get(key: ModelKey): Promise<void> {
    const start = random.between(0, 3) * 100;
    const ranged = random.chance(0.2);
    const answer = await send('GET', pathOf(key), {
      headers: ranged ? { Range: `bytes=${start}-${start + 999}` } : {},
      breakOff: random.chance(0.05),
    });
    if (answer === undefined || isFault(answer)) return;
    const { status, headers, body } = answer;
    if (status === 206 || status === 416) {
      const total = Number(/\/(\d+)$/.exec(headers['content-range'] ?? '')?.[1]);
      if (status === 416) assert.ok(total <= start);
      else assert.equal(body.length, Math.min(1000, total - start));
      key.seesLength(total);
      if (status === 206) key.sees(body, start, total);
      return;
    }
    assert.ok(status === 200 || status === 404, `GET ${key.key} → ${status}`);
    key.sees(status === 404 ? absent : body);
  }

  async function look(key: ModelKey, method: 'HEAD' | 'INFO'): Promise<void> {
    const answer =
      method === 'HEAD'
        ? await send('HEAD', pathOf(key))
        : await send('GET', `/v1/info/${encodeURIComponent(key.key)}`);
    if (answer === undefined || isFault(answer)) return;
    const { status, headers, body } = answer;
    assert.ok(status === 200 || status === 404, `${method} ${key.key} → ${status}`);
    if (status === 404) key.seesLength(absent);
    else if (method === 'HEAD') key.seesLength(Number(headers['content-length']));
    else key.seesLength((JSON.parse(body.toString()) as { size: number }).size);
  }

  async function remove(key: ModelKey): Promise<void> {
    const answer = await send('DELETE', pathOf(key), { breakOff: random.chance(0.05) });
    if (answer === undefined || isFault(answer)) {
      key.mayBecome(absent);
      return;
    }
    if (answer.status === 204) {
      assert.ok(key.mayExist, `${key.key} was not there`);
      key.becomes(absent);
    } else {
      assert.equal(answer.status, 404);
      assert.ok(key.mayBeAbsent, `${key.key} was there`);
    }
  }

  const lengthOf = (): number => {
    const length = random.pick(LENGTHS);
    return random.chance(0.5) ? length : random.between(1, length + 1);
  };

  return {
    async step(): Promise<void> {
      const key = random.pick(keys);
      const dice = random.next();
      if (dice < 0.35) await put(key);
      else if (dice < 0.7) await get(key);
      // At one time, so that they share a read; whoever breaks off must not disturb the others.
      else if (dice < 0.75) await Promise.all([get(key), get(key), get(key)]);
      else if (dice < 0.8) await look(key, 'HEAD');
      else if (dice < 0.85) await look(key, 'INFO');
      else await remove(key);
    },
    /** When nothing is under way any more: finds out what became of what nobody has heard of. */
    async settle(): Promise<void> {
      for (const key of keys) {
        if (key.settled) continue;
        const answer = await send('GET', pathOf(key));
        assert.ok(answer?.status === 200 || answer?.status === 404, `${answer?.status}`);
        key.settle(answer.status === 404 ? absent : answer.body);
      }
    },
    close: () => agent.destroy(),
  };
}

const pathOf = ({ key }: ModelKey): string => `/v1/objects/${encodeURIComponent(key)}`;
