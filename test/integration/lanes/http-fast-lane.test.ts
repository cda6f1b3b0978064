/** The fast lane bypasses Express and must not change a response: both gateways get the same requests. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { engineCodeTable } from '../../helpers/engine/engine-code-table.ts';
import { createInjection, injectingLibrary, type Rule } from '../../helpers/engine/injecting.ts';
import { connectRaw, type RawConnection } from '../../helpers/http/raw-connection.ts';
import {
  type GatewayOptions,
  type ReadyGateway,
  startGateway,
} from '../../helpers/process/gateway.ts';
import { metricsOf, untilIdle } from '../../helpers/process/metrics.ts';
import { until } from '../../helpers/process/until.ts';
import { batches } from './exchanges/batches.ts';
import { connections } from './exchanges/connections.ts';
import { type Exchange, type Expected, one } from './exchanges/exchange.ts';
import { keys } from './exchanges/keys.ts';
import { objects } from './exchanges/objects.ts';
import { others } from './exchanges/pages.ts';

const limits = [
  ...['--max-object-bytes', '8MiB', '--unsized-bytes', '1MiB', '--pool-bytes', '48MiB'],
  ...['--arena-bytes', '64MiB', '--batch-keys', '1000', '--batch-json-bytes', '1MiB'],
  ...['--layout', 'pair=5x2', '--access-log', '--slow-request-ms', '0'],
];

/** One gateway with the fast lane, and one without. */
type Pair = readonly [fast: ReadyGateway, slow: ReadyGateway];

/** Starts a pair before the tests of a suite, and kills it after them. */
function withPair(options: () => GatewayOptions): () => Pair {
  let pair: Pair;
  const start = (lane: string) => {
    const { args = [], env = {} } = options();
    return startGateway({ args: ['--fast-lane', lane, ...args], env });
  };
  before(async () => {
    pair = await Promise.all([start('on'), start('off')]);
  });
  after(() => Promise.all(pair.map((gateway) => gateway.kill())));
  return () => pair;
}

async function compare(pair: Pair, exchanges: readonly Exchange[]): Promise<void> {
  for (const exchange of exchanges) {
    const [fast, slow] = await Promise.all(pair.map((gateway) => carryOut(gateway, exchange)));
    assert.deepEqual(slow, fast);
  }
}

/** Returns the responses of one exchange, without the headers that differ between any two responses. */
async function carryOut(gateway: ReadyGateway, exchange: Exchange): Promise<object[]> {
  const connection = await connectRaw(gateway.port);
  try {
    const answers: object[] = [];
    let closes = false;
    for (const { send, answers: expected, ends } of exchange) {
      for (const bytes of send) await written(connection, bytes);
      if (ends) connection.socket.end();
      for (const each of expected) {
        const answer = await answerOf(connection, each);
        closes = ends === true || answer.headers['connection'] === 'close';
        answers.push(answer);
      }
      closes ||= ends === true;
    }
    if (closes) {
      const { reset, rest } = await connection.closed();
      assert.equal(reset, false);
      assert.equal(rest.length, 0, rest.toString('latin1'));
    } else assert.ok(connection.silent, 'more came than was asked for');
    return answers;
  } finally {
    connection.destroy();
  }
}

const written = ({ socket }: RawConnection, bytes: string | Uint8Array): Promise<void> =>
  new Promise((resolve) => void socket.write(bytes, () => resolve()));

/** The received part of its body decides whether the connection stays open, and how many bytes count. */
const isRefusedUpload = (method: string, status: number): boolean =>
  status >= 400 && ['PUT', 'POST'].includes(method);

async function answerOf(connection: RawConnection, [status, method, path]: Expected) {
  const answer = await connection.next({ method, path });
  const label = `${method} ${path.slice(0, 100)} → ${answer.status} ${answer.body.toString('latin1', 0, 300)}`;
  assert.equal(answer.status, status, label);
  const headers = { ...answer.headers };
  delete headers['date'];
  if (headers['x-request-id'] !== 'the-same') delete headers['x-request-id'];
  if (isRefusedUpload(method, status)) {
    delete headers['connection'];
    delete headers['keep-alive'];
  }
  const boundary = /^multipart\/mixed; boundary=(.+)$/.exec(headers['content-type'] ?? '')?.[1];
  let body = answer.body.toString('latin1');
  if (boundary !== undefined) {
    headers['content-type'] = 'multipart/mixed';
    body = body.replaceAll(boundary, 'BOUNDARY');
  }
  // Every scrape is different.
  if (path === '/metrics' && status === 200) {
    delete headers['content-length'];
    body = '';
  }
  return { method, path, status, headers, body };
}

/** One line for each request. Time, duration and process differ between the gateways. */
const linesOf = (gateway: ReadyGateway): Record<string, unknown>[] =>
  gateway.logged().filter(({ route }) => route !== undefined && route !== '/metrics');

describe('the same with and without the fast lane:', () => {
  const pair = withPair(() => ({ args: limits }));
  const all = { ...objects, ...keys, ...batches, ...connections, ...others };
  for (const [what, exchanges] of Object.entries(all)) {
    it(what, () => compare(pair(), exchanges));
  }

  it('the counters of requests, and no block is allocated at the end', async () => {
    for (const { url } of pair()) await untilIdle(url);
    const counters =
      /^(http_server_request_duration_seconds_count|memcache_gateway_client_disconnects_total)/;
    const counted = async ({ url }: ReadyGateway) =>
      [...(await metricsOf(url))]
        .filter(([name]) => counters.test(name) && !name.includes('/metrics'))
        .map(([name, count]) => `${name} ${count}`)
        .sort();
    const [fast, slow] = await Promise.all(pair().map(counted));
    assert.ok((fast?.length ?? 0) > 50);
    assert.deepEqual(slow, fast);
  });

  it('the log lines of requests', async () => {
    const [first, second] = pair();
    const lines = (gateway: ReadyGateway) =>
      linesOf(gateway)
        .map((line) => {
          const { level, msg, method, route, status, bytesIn, bytesOut, problem, keyHash } = line;
          const received = isRefusedUpload(String(method), Number(status)) ? 'some' : bytesIn;
          return [level, msg, method, route, status, received, bytesOut, problem, keyHash].join(
            ' ',
          );
        })
        .sort();
    // The lines of the last exchanges may be late.
    await until(() => isDeepStrictEqual(lines(second), lines(first))).catch(() => undefined);
    assert.deepEqual(lines(second), lines(first));
  });
});

describe('faults of the engine are the same with and without the fast lane:', () => {
  const injections: ReturnType<typeof createInjection>[] = [];
  let library = '';
  before(async () => {
    library = await injectingLibrary();
  });
  const pair = withPair(() => {
    const injection = createInjection();
    injections.push(injection);
    const single = ['--coalescing', 'off', '--single-flight', 'off', '--size-cache-keys', '0'];
    return { args: ['--engine', library, ...single], env: injection.env };
  });
  after(() => {
    for (const injection of injections) injection.dispose();
  });

  async function under(rules: readonly Rule[], exchanges: readonly Exchange[]): Promise<void> {
    await Promise.all(injections.map((injection) => injection.set(rules)));
    await compare(pair(), exchanges);
    await Promise.all(injections.map((injection) => injection.clear()));
  }

  it('each code from each operation', async () => {
    await compare(pair(), [one(201, 'PUT', '/v1/objects/read', {}, 'x')]);
    for (const { code, status } of engineCodeTable.filter((row) => row.code !== -1)) {
      const rules: Rule[] = [
        { on: 'query', code, prefix: 'asked' },
        { on: ['get', 'remove'], code, prefix: 'read' },
        { on: 'put', code, prefix: 'written' },
      ];
      await under(rules, [
        one(status, 'GET', '/v1/objects/asked'),
        one(status, 'HEAD', '/v1/objects/asked'),
        one(status, 'GET', '/v1/info/asked'),
        one(status, 'GET', '/v1/objects/read'),
        one(status, 'DELETE', '/v1/objects/read'),
        one(status, 'PUT', '/v1/objects/written', {}, 'y'),
      ]);
    }
  });

  it('an untrusted read, a put without room, and another writer', async () => {
    await under(
      [
        { on: 'get', noCopy: true, prefix: 'read' },
        { on: 'put', code: -1, prefix: 'written' },
        { on: 'exist', code: -3102, prefix: 'read' },
      ],
      [
        one(503, 'GET', '/v1/objects/read'),
        one(507, 'PUT', '/v1/objects/written', {}, Buffer.alloc(4097)),
        one(412, 'PUT', '/v1/objects/read?ifExists=keep', { 'If-None-Match': '*' }, 'ours'),
      ],
    );
    await compare(pair(), [one(200, 'GET', '/v1/objects/read')]);
    for (const { url } of pair()) await untilIdle(url);
  });
});
