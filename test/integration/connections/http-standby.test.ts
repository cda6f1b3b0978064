/** Sends the same bytes to a gateway with a worker and to one without: without the engine, responses are equal. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import {
  createInjection,
  type Injection,
  injectingLibrary,
} from '../../helpers/engine/injecting.ts';
import { connectRaw, type Expected, requestHead } from '../../helpers/http/raw-connection.ts';
import {
  type GatewayProcess,
  type ReadyGateway,
  spawnGateway,
  startGateway,
} from '../../helpers/process/gateway.ts';
import { until } from '../../helpers/process/until.ts';

let injection: Injection;
let without: GatewayProcess;
let withWorker: ReadyGateway;
const ports: number[] = [];
before(async () => {
  const args = ['--idle-timeout-ms', '500', '--log-level', 'debug'];
  injection = createInjection([{ on: 'init', code: -3000 }]);
  without = spawnGateway({
    args: [...args, '--engine', await injectingLibrary()],
    env: injection.env,
  });
  withWorker = await startGateway({ args });
  const port = () => without.logged().find((line) => 'port' in line)?.['port'];
  await until(() => port() !== undefined, { deadlineMs: 30_000 });
  ports.push(withWorker.port, Number(port()));
});
after(async () => {
  await without.kill();
  await withWorker.kill();
  injection.dispose();
});

interface Reported {
  readonly status: number;
  readonly type: unknown;
  readonly instance: unknown;
}

/** Returns the response to these bytes; the connection must close behind it. */
async function answerTo(port: number, bytes: string, expected: Expected, half = false) {
  const { socket, send, next, closed, destroy } = await connectRaw(port);
  send(bytes);
  if (half) socket.end();
  const answer = await next(expected);
  if (!half) socket.end();
  assert.deepEqual(await closed(), { reset: false, rest: Buffer.alloc(0) });
  destroy();
  return answer;
}

async function problemsOf(bytes: string, expected: Expected): Promise<Reported[]> {
  const answers = await Promise.all(ports.map((port) => answerTo(port, bytes, expected)));
  return answers.map(({ status, headers, body }) => {
    assert.equal(headers['content-type'], 'application/problem+json', String(body));
    const { type, instance } = JSON.parse(body.toString()) as Record<string, unknown>;
    return { status, type, instance };
  });
}

const close = { Connection: 'close' };
const large = 'y'.repeat(20_000);

const alike: Record<string, [status: number, bytes: string, expected?: Expected]> = {
  'a CONNECT': [405, requestHead('CONNECT', 'a:1'), { method: 'CONNECT', path: '/livez' }],
  'a CONNECT with a foreign Host': [
    403,
    requestHead('CONNECT', 'a:1', { Host: 'evil.example' }),
    { method: 'CONNECT', path: '/livez' },
  ],
  'a target with a foreign host': [
    403,
    requestHead('GET', 'http://evil.example/livez', close),
    { path: '/livez' },
  ],
  'two Hosts': [400, requestHead('GET', '/livez', { ...close, host: 'a' }), { path: '/livez' }],
  'no Host': [400, 'GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n', { path: '/livez' }],
  'an unknown Expect': [
    417,
    requestHead('GET', '/livez', { ...close, Expect: 'a' }),
    { path: '/livez' },
  ],
  'a target of more than 8192 characters': [
    414,
    requestHead('GET', `/livez?${'y'.repeat(8192)}`, close),
    { path: '/livez' },
  ],
  'an operation with another method': [
    405,
    requestHead('POST', '/livez', close),
    { method: 'POST', path: '/livez' },
  ],
  'an operation with a parameter': [
    400,
    requestHead('GET', '/readyz?x', close),
    { path: '/readyz' },
  ],
  'an operation with a body': [
    400,
    `${requestHead('GET', '/metrics', { ...close, 'Content-Length': 1 })}x`,
    { path: '/metrics' },
  ],
  'a target that is too long for the parser': [414, requestHead('GET', `/${large}`)],
  'headers of more than 16 KiB': [431, requestHead('GET', '/livez', { 'X-Large': large })],
  'more than 256 header lines': [
    431,
    requestHead('GET', '/livez', close).replace(/\r\n$/, `${'a:b\r\n'.repeat(256)}\r\n`),
    { path: '/livez' },
  ],
  'an unknown transfer coding': [
    501,
    requestHead('PUT', '/v1/objects/a', { 'Transfer-Encoding': 'gzip' }),
    { method: 'PUT', path: '/v1/objects/a' },
  ],
  'an unknown transfer coding before chunks': [
    501,
    `${requestHead('PUT', '/v1/objects/a', { 'Transfer-Encoding': 'gzip, chunked' })}0\r\n\r\n`,
    { method: 'PUT', path: '/v1/objects/a' },
  ],
  'a transfer coding beside a length': [
    400,
    requestHead('PUT', '/v1/objects/a', { 'Content-Length': 1, 'Transfer-Encoding': 'gzip' }),
  ],
  'bytes that are not HTTP': [400, 'this is not HTTP\r\n\r\n'],
  'a head that does not end': [408, 'GET /livez HTTP/1.1\r\n'],
};

describe('with and without a worker', () => {
  for (const [what, [status, bytes, expected = {}]] of Object.entries(alike)) {
    it(`${what} gets ${status}`, async () => {
      const [one, other] = await problemsOf(bytes, expected);
      assert.equal(one?.status, status);
      assert.deepEqual(other, one);
    });
  }

  it('a target in absolute form is accepted', async () => {
    for (const path of ['/livez', '/metrics']) {
      const bytes = requestHead('GET', `http://127.0.0.1:1${path}`, close);
      for (const port of ports) assert.equal((await answerTo(port, bytes, { path })).status, 200);
    }
  });

  it('a client that has ended its side gets its response', async () => {
    for (const path of ['/livez', '/metrics', '/readyz']) {
      const bytes = requestHead('GET', path, close);
      const [one, other] = await Promise.all(
        ports.map((port) => answerTo(port, bytes, { path }, true)),
      );
      assert.equal(one?.status, 200);
      assert.equal(other?.status, path === '/readyz' ? 503 : 200);
    }
  });
});

describe('without a worker', () => {
  it('the problem names the requested path', async () => {
    const [, port = 0] = ports;
    const path = '/v1/objects/a%2Fb';
    const { body } = await answerTo(port, requestHead('GET', path), { path });
    assert.equal((JSON.parse(body.toString()) as { instance: string }).instance, path);
  });
});
