/** GET /v1/keys on an engine that cannot list: its meta service sends the keys of all objects as lines. */
import assert from 'node:assert/strict';
import net from 'node:net';
import { after, before, describe, it } from 'node:test';
import {
  type FakeMetaService,
  failure,
  silent,
  startMetaService,
  text,
} from '../../fixtures/meta-service.ts';
import { injectingLibrary } from '../../helpers/engine/injecting.ts';
import { requestTo } from '../../helpers/http/requests.ts';
import { anonymousBytes } from '../../helpers/memory/process-memory.ts';
import { type ReadyGateway, startGateway } from '../../helpers/process/gateway.ts';
import { metric, requestsInFlight, untilIdle } from '../../helpers/process/metrics.ts';
import { until } from '../../helpers/process/until.ts';

interface Page {
  readonly keys: string[];
  readonly binaryKeys?: string[];
  readonly cursor?: string;
}

const gatewayWith = async (...args: string[]): Promise<ReadyGateway> =>
  startGateway({
    args: ['--engine', await injectingLibrary(), '--meta-url', `${meta.url}/`, ...args],
    env: { MMC_LOCAL_CONFIG_PATH: 'none' },
  });

let meta: FakeMetaService;
let gateway: ReadyGateway;
before(async () => {
  meta = await startMetaService();
  gateway = await gatewayWith('--deadline-ms', '3000');
});
after(async () => {
  await gateway.kill();
  await meta.close();
});

const { request, problem } = requestTo(() => gateway);
async function page(query: Record<string, string>, ask = request): Promise<Page> {
  const { status, body } = await ask('GET', `?${new URLSearchParams(query)}`, {}, '/v1/keys');
  assert.equal(status, 200, body.toString());
  return JSON.parse(body.toString()) as Page;
}

/** All pages of a listing. `between` is called after each. */
async function pages(query: Record<string, string>, between: (page: Page) => void = () => {}) {
  const found: Page[] = [];
  for (let cursor: string | undefined, first = true; first || cursor !== undefined; first = false) {
    const next = await page({ ...query, ...(cursor === undefined ? {} : { cursor }) });
    found.push(next);
    between(next);
    ({ cursor } = next);
  }
  return found;
}

const list = (...lines: readonly (string | Uint8Array)[]) =>
  meta.play({
    '/get_all_keys': text(
      Buffer.concat(lines.map((line) => Buffer.concat([Buffer.from(line), Buffer.from('\n')]))),
    ),
  });
const isRefused = (reason: RegExp) =>
  problem('GET', '', 503, 'meta-service-unavailable', {}, '/v1/keys').then(({ json }) =>
    assert.match(String(json['detail']), reason),
  );

describe('GET /v1/keys with a meta service', () => {
  it('sorts keys by their bytes, in pages', async () => {
    list('b', 'ü', 'a', '\u{10000}', '\uffee', 'B', 'ab');
    const sorted = ['B', 'a', 'ab', 'b', 'ü', '\uffee', '\u{10000}'];
    for (const limit of [1, 2, 6, 7, 8, 1000]) {
      const found = await pages({ limit: String(limit) });
      assert.deepEqual(
        found.flatMap(({ keys }) => keys),
        sorted,
      );
      assert.equal(found.length, Math.ceil(7 / limit));
    }
    assert.deepEqual(await page({ prefix: 'a' }), { keys: ['a', 'ab'] });
    assert.deepEqual(await page({ prefix: 'ü' }), { keys: ['ü'] });
    assert.deepEqual(await page({ prefix: 'c' }), { keys: [] });
    meta.play({ '/get_all_keys': text('') });
    assert.deepEqual(await page({}), { keys: [] });
    meta.play({ '/get_all_keys': text('no line end') });
    assert.deepEqual(await page({}), { keys: ['no line end'] });
  });

  it('has keys that a path cannot name in base64, each on its page', async () => {
    const binary = [Buffer.from([0xff, 0xfe]), Buffer.from('a\tb'), Buffer.alloc(256, 'k')];
    list('a', ...binary, 'z');
    const base64 = (...keys: Buffer[]) => keys.map((key) => key.toString('base64'));
    const [bytes, tab, long] = binary as [Buffer, Buffer, Buffer];
    assert.deepEqual(await page({}), { keys: ['a', 'z'], binaryKeys: base64(tab, long, bytes) });
    assert.deepEqual(
      (await pages({ limit: '2' })).map(({ keys, binaryKeys }) => [keys, binaryKeys]),
      [
        [['a'], base64(tab)],
        [['z'], base64(long)],
        [[], base64(bytes)],
      ],
    );
  });

  it('keeps only the page of a long list, in any order', async (t) => {
    // A busy machine takes seconds to make and to send the list.
    const patient = await gatewayWith();
    t.after(() => patient.kill());
    const ask = requestTo(() => patient).request;
    const count = 300_000;
    const name = (i: number) => `model@tp0@${String(i).padStart(8, '0')}@${'f'.repeat(64)}`;
    for (const order of [(i: number) => i, (i: number) => count - 1 - i]) {
      meta.play({
        '/get_all_keys': async (response) => {
          response.setHeader('Content-Type', 'text/plain');
          for (let i = 0; i < count; i += 1000) {
            const lines = Array.from({ length: 1000 }, (_, at) => `${name(order(i + at))}\n`);
            if (!response.write(lines.join(''))) {
              await new Promise((resolve) => response.once('drain', resolve));
            }
          }
          response.end();
        },
      });
      const before = anonymousBytes(patient.workerPid());
      const found = await page({ limit: '1000' }, ask);
      assert.deepEqual(
        found.keys,
        Array.from({ length: 1000 }, (_, i) => name(i)),
      );
      assert.ok(found.cursor);
      assert.ok(anonymousBytes(patient.workerPid()) - before < 64 << 20);
    }
  });

  it('lists each key that stays once, while others come and go', async () => {
    const stable = Array.from({ length: 50 }, (_, i) => `stable-${String(i).padStart(2, '0')}`);
    let turn = 0;
    const change = () => {
      turn += 1;
      const others = Array.from({ length: 20 }, (_, i) => `stable-${(i * 7 + turn) % 50}-${turn}`);
      list(...[...stable, ...others, ...stable].sort(() => (turn % 2 === 0 ? 1 : -1)));
    };
    change();
    const found = await pages({ limit: '7' }, change);
    const keys = found.flatMap((each) => each.keys);
    assert.deepEqual(
      keys.filter((key) => stable.includes(key)),
      stable,
    );
    assert.equal(new Set(keys).size, keys.length);
  });

  it('responds with a problem if the list is slow, breaks off, or is a failure', async () => {
    meta.play({ '/get_all_keys': failure('Not supported') });
    await isRefused(/a failure: Not supported/);
    meta.play({ '/get_all_keys': silent });
    await isRefused(/no complete response in 3000 ms/);
    meta.play({
      '/get_all_keys': (response) => {
        response.setHeader('Content-Length', '100');
        response.write('a\nb\n');
        setTimeout(() => response.destroy(), 10);
      },
    });
    await isRefused(/aborted|ECONNRESET|closed/);
    for (const line of ['x'.repeat(257), `${'x'.repeat(257)}\n`, `a\n${'x'.repeat(100_000)}\n`]) {
      meta.play({ '/get_all_keys': text(line) });
      await isRefused(/line of its list is too long/);
    }
    list('x'.repeat(256));
    assert.deepEqual(await page({}), { keys: [], binaryKeys: [btoa('x'.repeat(256))] });
  });

  it('lets a list wait for others no longer than for the meta service', async () => {
    meta.play({ '/get_all_keys': silent });
    const asked = performance.now();
    const details = await Promise.all(
      Array.from({ length: 6 }, async () => {
        const { json } = await problem('GET', '', 503, 'meta-service-unavailable', {}, '/v1/keys');
        return String(json['detail']);
      }),
    );
    assert.ok(details.some((detail) => detail.includes('other lists of keys take too long')));
    // Six lists in turn would take 9 s.
    assert.ok(performance.now() - asked < 8_500);
  });

  it('ends the request to the meta service when the client leaves', async () => {
    let open = 0;
    meta.play({
      '/get_all_keys': (response) => {
        open += 1;
        response.once('close', () => {
          open -= 1;
        });
        response.flushHeaders();
      },
    });
    const sockets = Array.from({ length: 4 }, () => {
      const socket = net.connect(gateway.port, '127.0.0.1').on('error', () => undefined);
      socket.write('GET /v1/keys HTTP/1.1\r\nHost: localhost\r\n\r\n');
      return socket;
    });
    // Two lists at a time; the others wait.
    await until(() => open === 2);
    await until(async () => (await metric(gateway.url, requestsInFlight)) === 5);
    for (const socket of sockets) socket.resetAndDestroy();
    await until(() => open === 0, { deadlineMs: 2000 });
    await untilIdle(gateway.url);
    const gone = 'memcache_gateway_client_disconnects_total{http_route="/v1/keys"}';
    assert.equal(await metric(gateway.url, gone), 4);
    list('a');
    assert.deepEqual(await page({}), { keys: ['a'] });
  });

  it('refuses wrong parameters', async () => {
    list('a', 'b', 'ü');
    const refuse = (query: string) =>
      problem('GET', query, 400, 'invalid-parameter', {}, '/v1/keys');
    for (const limit of ['0', '1001', '-1', '1.5', 'ten', '', '1e2'])
      await refuse(`?limit=${limit}`);
    await refuse('?after=a');
    await refuse('?limit=1&limit=2');
    await refuse(`?prefix=${'x'.repeat(256)}`);
    assert.deepEqual(await page({ prefix: 'x'.repeat(255) }), { keys: [] });
    for (const prefix of ['%ff', '%c3', 'a%00', '%7f', '%zz']) await refuse(`?prefix=${prefix}`);
    const { cursor = '' } = await page({ limit: '1' });
    assert.deepEqual((await page({ cursor })).keys, ['b', 'ü']);
    const other = cursor.endsWith('A') ? 'B' : 'A';
    for (const wrong of [
      '',
      'abc',
      cursor.slice(1),
      cursor.slice(0, -1),
      `${cursor}A`,
      `${cursor.slice(0, -2)}${other}${cursor.at(-1)}`,
      `${cursor}=`,
      '%ff',
    ]) {
      await refuse(`?cursor=${wrong}`);
    }
    await refuse(`?prefix=b&cursor=${cursor}`);
    assert.equal((await request('HEAD', '', {}, '/v1/keys')).status, 200);
    await problem('POST', '', 405, 'method-not-allowed', {}, '/v1/keys');
  });
});
