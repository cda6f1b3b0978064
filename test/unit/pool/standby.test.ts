import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { after, before, describe, it } from 'node:test';
import { listen, type TcpListener } from '../../../src/pool/listener.ts';
import { createStandby, type StandbyAnswer } from '../../../src/pool/standby.ts';
import { checkResponse } from '../../helpers/openapi.ts';

let listener: TcpListener;
let metricsFail = false;
const clients = [
  { device: 3, serviceId: null, state: 'starting', pid: 7, restarts: 1, uptimeMs: 5 },
] as const;
const answers: StandbyAnswer[] = [];
before(async () => {
  const standby = createStandby({
    allowHosts: ['gateway.example'],
    allowOrigins: [],
    idleTimeoutMs: 30_000,
    situation: () => ({ detail: 'It is starting.', retryAfterSeconds: 3 }),
    metricsText: () =>
      metricsFail
        ? Promise.reject(new Error('out of numbers'))
        : Promise.resolve({ contentType: 'text/plain; version=0.0.4', body: 'up 0\n' }),
    report: () => ({ ready: false, detail: '', clients }),
    onAnswer: (answer) => void answers.push(answer),
  });
  listener = await listen({ host: '127.0.0.1', address: '127.0.0.1', port: 0 }, (socket) =>
    standby.accept(socket),
  );
});
after(() => listener.close());

/** Sends bytes as they are, and reads until the other side closes. */
async function exchange(...chunks: (string | Buffer)[]): Promise<string> {
  const socket = net.connect(listener.port, '127.0.0.1');
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
  for (const chunk of chunks) socket.write(chunk);
  await once(socket, 'close');
  return text;
}

function parse(text: string): { status: number; headers: Record<string, string>; body: string } {
  const [head = '', body = ''] = text.split('\r\n\r\n');
  const [start = '', ...lines] = head.split('\r\n');
  const headers = Object.fromEntries(
    lines.map((line) => [
      line.slice(0, line.indexOf(':')).toLowerCase(),
      line.slice(line.indexOf(':') + 1).trim(),
    ]),
  );
  return { status: Number(start.split(' ')[1]), headers, body };
}

async function get(
  method: string,
  target: string,
  headers = '',
): Promise<ReturnType<typeof parse>> {
  const answer = parse(
    await exchange(`${method} ${target} HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n`),
  );
  checkResponse({ method, path: target, ...answer });
  return answer;
}

describe('without a worker', () => {
  it('the process lives, has metrics, and is not ready', async () => {
    assert.equal((await get('GET', '/livez')).body, '{"status":"live"}\n');
    assert.equal((await get('GET', '/metrics')).body, 'up 0\n');
    const ready = await get('GET', '/readyz');
    assert.equal(ready.status, 503);
    assert.equal(ready.headers['retry-after'], '3');
    assert.equal((JSON.parse(ready.body) as { detail: string }).detail, 'It is starting.');
  });

  it('the clients are told, and with them why nothing is ready when that is asked for', async () => {
    assert.deepEqual(JSON.parse((await get('GET', '/v1/clients')).body), { clients });
    assert.equal((await get('HEAD', '/v1/clients')).body, '');
    assert.equal((await get('POST', '/v1/clients')).status, 405);
    assert.equal((await get('GET', '/v1/clients?verbose')).status, 400);
    for (const [query, told] of [
      ['?verbose', clients],
      ['?verbose=true', clients],
      ['?verbose=false', undefined],
    ] as const) {
      const { status, body } = await get('GET', `/readyz${query}`);
      assert.equal(status, 503);
      assert.deepEqual((JSON.parse(body) as { clients?: unknown }).clients, told);
    }
    assert.equal((await get('GET', '/readyz?verbose=1')).status, 400);
    assert.equal((await get('GET', '/livez?verbose')).status, 400);
  });

  it('everything else is 503, with the id of the request', async () => {
    for (const method of ['GET', 'HEAD', 'DELETE']) {
      const answer = await get(method, '/v1/objects/a%2Fb', 'X-Request-Id: abc\r\n');
      assert.equal(answer.status, 503);
      assert.equal(answer.headers['x-request-id'], 'abc');
      assert.equal(answer.headers['connection'], 'close');
      assert.equal(answer.body === '', method === 'HEAD');
    }
  });

  it('a client that sends its whole body first still reads the answer', async () => {
    const size = 20_000_000;
    const answer = await exchange(
      `PUT /v1/objects/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${size}\r\n\r\n`,
      Buffer.alloc(size),
    );
    assert.match(answer, /^HTTP\/1\.1 503 /);
  });

  it('a client that asks first is not invited to send', async () => {
    const text = await exchange(
      'PUT /v1/objects/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n',
    );
    assert.match(text, /^HTTP\/1\.1 503 /);
  });

  it('a foreign page and an unknown name are refused as ever', async () => {
    assert.equal((await get('GET', '/metrics', 'Origin: https://evil.example\r\n')).status, 403);
    const crossSite = 'Sec-Fetch-Site: cross-site\r\n';
    assert.equal((await get('GET', '/v1/objects/a', crossSite)).status, 403);
    assert.equal((await get('GET', '/livez', crossSite)).status, 200);
    const rebound = parse(await exchange('GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n'));
    assert.equal(rebound.status, 403);
    const named = parse(await exchange('GET /metrics HTTP/1.1\r\nHost: gateway.example\r\n\r\n'));
    assert.equal(named.status, 200);
  });

  it('what is no HTTP gets a problem and a closed connection', async () => {
    for (const bytes of ['hello\r\n\r\n', 'GET /livez HTTP/1.1\r\n\r\n']) {
      const nonsense = parse(await exchange(bytes));
      assert.equal(nonsense.status, 400);
      assert.equal(nonsense.headers['content-type'], 'application/problem+json');
      const { problem, requestId, status } = answers.at(-1) ?? {};
      assert.deepEqual([problem, status], ['malformed-request', 400]);
      assert.equal(requestId, nonsense.headers['x-request-id']);
    }
    const huge = parse(await exchange(`GET / HTTP/1.1\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`));
    assert.equal(huge.status, 431);
  });

  it('each answer is told, with the id and the reason', async () => {
    await get('GET', '/livez', 'X-Request-Id: one\r\n');
    assert.deepEqual(answers.at(-1), { status: 200, requestId: 'one', method: 'GET' });
    await get('GET', '/v1/objects/a', 'X-Request-Id: two\r\n');
    const refused = { status: 503, requestId: 'two', method: 'GET', problem: 'not-ready' };
    assert.deepEqual(answers.at(-1), refused);
    metricsFail = true;
    await get('GET', '/metrics', 'X-Request-Id: three\r\n');
    metricsFail = false;
    const { error, ...failed } = answers.at(-1) ?? assert.fail();
    const problem = 'internal-error';
    assert.deepEqual(failed, { status: 500, requestId: 'three', method: 'GET', problem });
    assert.match(String(error), /out of numbers/);
  });

  it('a connection gets one answer, whatever is pipelined behind its request', async () => {
    const told = answers.length;
    const request = 'GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n';
    const put = 'PUT /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc';
    const text = await exchange(request + put + request);
    assert.equal(text.match(/HTTP\/1\.1 /g)?.length, 1);
    assert.equal(answers.length, told + 1);
  });

  it('a client that pipelines on and on has one response, and its connection ends in order', async () => {
    const text = await exchange('GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(100_000));
    assert.equal(text.match(/HTTP\/1\.1 /g)?.length, 1);
    assert.match(text, /^HTTP\/1\.1 503 .*"requestId"/s);
  });

  it('a request with Upgrade has the one response, and nothing behind it is answered', async () => {
    const upgrade = 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n';
    const behind = 'GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n';
    const text = await exchange(
      `GET /metrics HTTP/1.1\r\nHost: localhost\r\n${upgrade}\r\n${behind}`,
      behind,
    );
    assert.equal(text.match(/HTTP\/1\.1 /g)?.length, 1);
    assert.match(text, /^HTTP\/1\.1 200 .*Connection: close.*up 0\n$/s);
  });

  it('HTTP/2 is refused, with and without prior knowledge', async () => {
    for (const bytes of [
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
      'GET /livez HTTP/2.0\r\nHost: localhost\r\n\r\n',
    ]) {
      const refused = parse(await exchange(bytes));
      assert.equal(refused.status, 505);
      assert.match(refused.body, /http-version-not-supported/);
    }
  });

  it('a client that says nothing is let go when it leaves', async () => {
    const socket = net.connect(listener.port, '127.0.0.1');
    await once(socket, 'connect');
    socket.end();
    await once(socket.resume(), 'close');
  });
});
