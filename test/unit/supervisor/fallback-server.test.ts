import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { after, before, describe, it } from 'node:test';
import { Access } from '../../../src/http/security/access.ts';
import { emptyHistory } from '../../../src/messages/history.ts';
import { fallbackResponse, type PoolFacts } from '../../../src/supervisor/fallback-responses.ts';
import { FallbackServer, type ResponseFacts } from '../../../src/supervisor/fallback-server.ts';
import { listen, type TcpListener } from '../../../src/supervisor/listeners/listener.ts';
import { checkResponse } from '../../helpers/openapi/openapi.ts';
import { testToken } from '../../helpers/process/token-files.ts';

let listener: TcpListener;
let metricsFail = false;
const access = new Access(
  { host: '127.0.0.1', port: 0, listen: [], protect: [], tlsClientScopes: [] },
  null,
);
const clients = [
  { device: 3, serviceId: null, state: 'starting', pid: 7, restarts: 1, uptimeMs: 5 },
] as const;
const facts: PoolFacts = {
  unavailability: () => ({ detail: 'It is starting.', retryAfterSeconds: 3 }),
  metricsText: () =>
    metricsFail
      ? Promise.reject(new Error('out of numbers'))
      : Promise.resolve({ contentType: 'text/plain; version=0.0.4', body: 'up 0\n' }),
  report: () => ({ ready: false, detail: '', clients }),
  history: () => emptyHistory,
};
const answers: ResponseFacts[] = [];
before(async () => {
  const fallback = new FallbackServer({
    access,
    allowHosts: ['gateway.example'],
    allowOrigins: [],
    trustedProxy: ['127.0.0.9'],
    proxyProtocol: true,
    idleTimeoutMs: 30_000,
    respond: (request, guards) => fallbackResponse(request, guards, facts),
    onResponse: (answer) => void answers.push(answer),
  });
  listener = await listen({ host: '127.0.0.1', address: '127.0.0.1', port: 0 }, (socket) =>
    fallback.accept(socket),
  );
});
after(() => listener.close());

/** Sends raw bytes, and reads until the other side closes. */
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

describe('without a worker, the fallback server', () => {
  it('is live, has metrics, and is not ready', async () => {
    assert.equal((await get('GET', '/livez')).body, '{"status":"live"}\n');
    assert.equal((await get('GET', '/metrics')).body, 'up 0\n');
    const ready = await get('GET', '/readyz');
    assert.equal(ready.status, 503);
    assert.equal(ready.headers['retry-after'], '3');
    assert.equal((JSON.parse(ready.body) as { detail: string }).detail, 'It is starting.');
  });

  it('returns the clients, with the reason if requested', async () => {
    assert.deepEqual(JSON.parse((await get('GET', '/v1/clients')).body), { clients });
    assert.equal((await get('HEAD', '/v1/clients')).body, '');
    assert.equal((await get('POST', '/v1/clients')).status, 405);
    assert.equal((await get('GET', '/v1/clients?verbose')).status, 400);
    for (const [query, reported] of [
      ['?verbose', clients],
      ['?verbose=true', clients],
      ['?verbose=1', clients],
      ['?verbose=off', undefined],
      ['?verbose=false', undefined],
    ] as const) {
      const { status, body } = await get('GET', `/readyz${query}`);
      assert.equal(status, 503);
      assert.deepEqual((JSON.parse(body) as { clients?: unknown }).clients, reported);
    }
    assert.equal((await get('GET', '/readyz?verbose=2')).status, 400);
    assert.equal((await get('GET', '/livez?verbose')).status, 400);
  });

  it('needs a token with the scope admin for the clients, and none for readiness', async (t) => {
    const [reader, admin] = [testToken({ scopes: ['read'] }), testToken({ scopes: ['admin'] })];
    access.setTokens([reader.entry, admin.entry]);
    t.after(() => access.setTokens(null));
    const statusOf = async (query: string, token?: string) => {
      const headers = token === undefined ? '' : `Authorization: Bearer ${token}\r\n`;
      return (await get('GET', `/readyz${query}`, headers)).status;
    };
    assert.equal(await statusOf(''), 503);
    assert.equal(await statusOf('?verbose'), 401);
    assert.equal(await statusOf('?verbose', reader.token), 403);
    assert.equal(await statusOf('?verbose', admin.token), 503);
  });

  it('shows the status page to browsers, and is not ready for programs', async () => {
    const html = 'Accept: text/html\r\n';
    const { status, headers, body } = await get('GET', '/', html);
    assert.equal(status, 200);
    assert.match(headers['content-security-policy'] ?? '', /form-action 'self'/);
    assert.match(body, /The gateway is not ready\. It is starting\./);
    assert.match(body, /<td>3<\/td>/);
    const { status: there, headers: fields, body: none } = await get('HEAD', '/', html);
    assert.deepEqual([there, fields['content-length'], none], [200, headers['content-length'], '']);
    const { body: found } = await get('GET', '/?key=a%3Cb', html);
    assert.match(found, /value="a&lt;b"/);
    assert.match(found, /href="\/problems\/not-ready"/);
    assert.equal((await get('GET', '/?keys=a', html)).status, 400);
    assert.equal((await get('POST', '/', html)).status, 405);
    assert.equal((await get('GET', '/')).status, 503);
    assert.equal((await get('GET', '/', 'Accept: application/json\r\n')).status, 503);
  });

  it('returns 503 for everything else, with the id of the request', async () => {
    for (const method of ['GET', 'HEAD', 'DELETE']) {
      const answer = await get(method, '/v1/objects/a%2Fb', 'X-Request-Id: abc\r\n');
      assert.equal(answer.status, 503);
      assert.equal(answer.headers['x-request-id'], 'abc');
      assert.equal(answer.headers['connection'], 'close');
      assert.equal(answer.body === '', method === 'HEAD');
    }
  });

  it('reports the trace of a request for the log', async () => {
    const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
    const spanId = '00f067aa0ba902b7';
    await get('GET', '/v1/objects/a', `traceparent: 00-${traceId}-${spanId}-01\r\n`);
    assert.deepEqual([answers.at(-1)?.traceId, answers.at(-1)?.spanId], [traceId, spanId]);
    await get('GET', '/v1/objects/a', `traceparent: 00-${traceId}-${spanId}\r\n`);
    assert.equal(answers.at(-1)?.traceId, undefined);
  });

  it('lets a client that sends its whole body first read the response', async () => {
    const size = 20_000_000;
    const answer = await exchange(
      `PUT /v1/objects/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${size}\r\n\r\n`,
      Buffer.alloc(size),
    );
    assert.match(answer, /^HTTP\/1\.1 503 /);
  });

  it('does not send 100 Continue', async () => {
    const text = await exchange(
      'PUT /v1/objects/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n',
    );
    assert.match(text, /^HTTP\/1\.1 503 /);
  });

  it('refuses a page of another site and an unknown name', async () => {
    assert.equal((await get('GET', '/metrics', 'Origin: https://evil.example\r\n')).status, 403);
    const crossSite = 'Sec-Fetch-Site: cross-site\r\n';
    assert.equal((await get('GET', '/v1/objects/a', crossSite)).status, 403);
    assert.equal((await get('GET', '/livez', crossSite)).status, 200);
    const rebound = parse(await exchange('GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n'));
    assert.equal(rebound.status, 403);
    const named = parse(await exchange('GET /metrics HTTP/1.1\r\nHost: gateway.example\r\n\r\n'));
    assert.equal(named.status, 200);
  });

  it('returns a problem for invalid HTTP and closes the connection', async () => {
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

  it('logs each response with the id and the reason', async () => {
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

  it('sends one response to a connection, whatever is pipelined after its request', async () => {
    const reported = answers.length;
    const request = 'GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n';
    const put = 'PUT /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc';
    const text = await exchange(request + put + request);
    assert.equal(text.match(/HTTP\/1\.1 /g)?.length, 1);
    assert.equal(answers.length, reported + 1);
  });

  it('sends one response to a client that pipelines without end, and closes its connection', async () => {
    const text = await exchange('GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(100_000));
    assert.equal(text.match(/HTTP\/1\.1 /g)?.length, 1);
    assert.match(text, /^HTTP\/1\.1 503 .*"requestId"/s);
  });

  it('closes connections whose further requests exceed the memory for them', async () => {
    const bytes = `GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n${'GET / HTTP/1.1\r\n\r\n'.repeat(3_000)}`;
    const sockets: net.Socket[] = [];
    const texts = await Promise.all(
      Array.from({ length: 20 }, async () => {
        // Its side stays open, so that the gateway keeps the connection for some time.
        const socket = net.connect({ port: listener.port, host: '127.0.0.1', allowHalfOpen: true });
        sockets.push(socket);
        let text = '';
        socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
        socket.on('error', () => undefined);
        socket.write(bytes);
        await Promise.race([once(socket, 'end'), once(socket, 'close')]).catch(() => undefined);
        return text;
      }),
    );
    for (const socket of sockets) socket.destroy();
    const served = texts.filter((text) => text.startsWith('HTTP/1.1 503')).length;
    // They send 60,000 requests of at least 2,560 bytes each; the memory is 32 MiB.
    assert.ok(served > 0 && served < sockets.length, `${served} responses`);
    assert.equal((await get('GET', '/livez')).status, 200);
  });

  it('sends one response to a request with Upgrade, and executes nothing after it', async () => {
    const upgrade = 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n';
    const behind = 'GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n';
    const text = await exchange(
      `GET /metrics HTTP/1.1\r\nHost: localhost\r\n${upgrade}\r\n${behind}`,
      behind,
    );
    assert.equal(text.match(/HTTP\/1\.1 /g)?.length, 1);
    assert.match(text, /^HTTP\/1\.1 200 .*Connection: close.*up 0\n$/s);
  });

  it('refuses HTTP/2 with and without prior knowledge', async () => {
    for (const bytes of [
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
      'GET /livez HTTP/2.0\r\nHost: localhost\r\n\r\n',
    ]) {
      const refused = parse(await exchange(bytes));
      assert.equal(refused.status, 505);
      assert.match(refused.body, /http-version-not-supported/);
    }
  });

  it('closes the connection of a silent client when the client disconnects', async () => {
    const socket = net.connect(listener.port, '127.0.0.1');
    await once(socket, 'connect');
    socket.end();
    await once(socket.resume(), 'close');
  });
});

describe('a trusted proxy that has no worker', () => {
  it('gets its response behind the header of the PROXY protocol', async () => {
    const header = '0d0a0d0a000d0a515549540a2111000c0a0000017f000001303900 50'.replace(' ', '');
    const socket = net.connect({
      port: listener.port,
      host: '127.0.0.1',
      localAddress: '127.0.0.9',
    });
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
    socket.write(Buffer.from(header, 'hex'));
    socket.write('GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await once(socket, 'close');
    assert.match(text, /^HTTP\/1\.1 200 /);
  });
});
