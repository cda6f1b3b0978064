/** TLS on a real gateway with two workers, tokens, client certificates and a listener for operators. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import tls from 'node:tls';
import { PROXY_ADDRESS, portOf, startProxy } from '../../helpers/http/proxy.ts';
import { type ReadyGateway, startGateway } from '../../helpers/process/gateway.ts';
import { metric, requestsInFlight } from '../../helpers/process/metrics.ts';
import { authorization, testToken, writeTokens } from '../../helpers/process/token-files.ts';
import { until } from '../../helpers/process/until.ts';
import { certificateFolder, secretVolume } from '../../helpers/tls/certificates.ts';
import { connectTls, requestTls, type TlsRequest } from '../../helpers/tls/tls-client.ts';

const IDLE_MS = 3000;
const folder = certificateFolder();
const [serverCa, clientCa, otherCa] = [1, 2, 3].map(() => folder.authority()) as [
  ReturnType<typeof folder.authority>,
  ReturnType<typeof folder.authority>,
  ReturnType<typeof folder.authority>,
];
const clients = {
  reader: clientCa.client('reader'),
  writer: clientCa.client('writer=a'),
  unnamed: clientCa.client('unnamed'),
  expired: clientCa.client('reader', { days: -1 }),
  foreign: otherCa.client('reader'),
};
const token = testToken();
const tokenFile = path.join(folder.path, 'tokens.json');
writeTokens(tokenFile, [token]);
const secret = secretVolume(folder.path);
const first = serverCa.server();
secret.write({ 'tls.crt': first.cert, 'tls.key': first.key, 'ca.crt': clientCa.cert });

let gateway: ReadyGateway;
let admin: string;
before(async () => {
  gateway = await startGateway({
    args: [
      ...['--listen', 'tls:127.0.0.1:0', '--listen', 'admin:127.0.0.1:0', '--devices', '0,1'],
      ...['--tls-cert', secret.file('tls.crt'), '--tls-key', secret.file('tls.key')],
      ...['--tls-client-ca', secret.file('ca.crt'), '--token-file', tokenFile],
      ...['--tls-client-scopes', 'CN=reader=read;CN=writer=a=read,write', '--ready-when', 'all'],
      ...['--idle-timeout-ms', `${IDLE_MS}`, '--disable-node-features', 'socket-descriptor'],
      ...['--trusted-proxy', PROXY_ADDRESS, '--proxy-protocol'],
    ],
  });
  [admin] = gateway.ready['adminAddresses'] as [string];
});
after(async () => {
  await gateway.kill();
  folder.remove();
});

const target = () => ({ port: gateway.port, ca: serverCa.cert });
const send = (request: TlsRequest = {}) => requestTls(target(), request);
const object = '/v1/objects/a';
const failures = (reason: string) =>
  metric(admin, `memcache_gateway_tls_handshakes_failed_total{reason="${reason}"}`);

describe('a connection with TLS', () => {
  it('has TLS 1.2 or 1.3 with HTTP/1.1, and no older version', async () => {
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const range = { minVersion: version, maxVersion: version };
      const client = await connectTls(target(), { ...range, ALPNProtocols: ['h2', 'http/1.1'] });
      assert.equal(client.socket.getProtocol(), version);
      assert.equal(client.socket.alpnProtocol, 'http/1.1');
      client.socket.destroy();
      assert.equal((await send(range)).status, 200);
    }
    const before = await failures('protocol_version');
    const old = {
      minVersion: 'TLSv1.1',
      maxVersion: 'TLSv1.1',
      ciphers: 'ALL@SECLEVEL=0',
    } as const;
    await assert.rejects(send(old));
    await until(async () => (await failures('protocol_version')) === before + 1);
  });

  it('fails for HTTP/2 alone, for plain HTTP, and for a client that leaves or trusts another CA', async () => {
    await assert.rejects(connectTls(target(), { ALPNProtocols: ['h2'] }));
    await until(async () => (await failures('application_protocol')) > 0);
    const gone = net.connect(gateway.port, '127.0.0.1');
    gone.end(Buffer.from([22, 3, 1]));
    await once(gone.resume(), 'close');
    await until(async () => (await failures('closed')) > 0);
    const plain = net.connect(gateway.port, '127.0.0.1');
    plain.on('error', () => undefined).resume();
    plain.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await once(plain, 'close');
    await until(async () => (await failures('plain_http')) > 0);
    // A client of Node closes the connection instead of sending an alert.
    const ca = path.join(folder.path, 'other.pem');
    writeFileSync(ca, otherCa.cert);
    const words = ['-connect', `127.0.0.1:${gateway.port}`, '-CAfile', ca, '-verify_return_error'];
    await once(spawn('openssl', ['s_client', ...words], { stdio: 'ignore' }), 'exit');
    await until(async () => (await failures('certificate_refused')) > 0);
  });

  it('must finish its handshake in time, also a client that sends it byte by byte', async () => {
    const before = await failures('timeout');
    const silent = net.connect(gateway.port, '127.0.0.1').on('error', () => undefined);
    const slow = net.connect(gateway.port, '127.0.0.1').on('error', () => undefined);
    const hello = Buffer.from([22, 3, 1, 1, 0, 1, 0, 0, 252, 3, 3, ...Buffer.alloc(200)]);
    let at = 0;
    const timer = setInterval(() => slow.write(hello.subarray(at, ++at)), IDLE_MS / 20);
    const start = performance.now();
    await Promise.all([silent, slow].map((socket) => once(socket.resume(), 'close')));
    clearInterval(timer);
    assert.ok(at < 100, `${at} bytes were sent`);
    assert.ok(performance.now() - start >= IDLE_MS - 100);
    await until(async () => (await failures('timeout')) === before + 2);
  });

  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    it(`resumes its session on another worker (${version})`, async () => {
      const range = { minVersion: version, maxVersion: version };
      const ask = async (session?: Buffer) => {
        const client = await connectTls(target(), { ...range, ...(session && { session }) });
        const resumed = client.socket.isSessionReused();
        client.socket.write(`GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
        await once(client.socket, 'close');
        const device = /"device":(\d)/.exec(client.text())?.[1];
        return { device, resumed, session: client.session() };
      };
      const original = await ask();
      assert.equal(original.resumed, false);
      assert.ok(original.session);
      let other = await ask(original.session);
      for (let tries = 0; other.device === original.device && tries < 200; tries += 1) {
        assert.equal(other.resumed, true);
        other = await ask(original.session);
      }
      assert.notEqual(other.device, original.device);
      assert.equal(other.resumed, true);
    });
  }

  it('carries large bodies, an early refusal of an upload, pipelined requests, and the end of a client', async () => {
    const bytes = Buffer.alloc(3 << 20, 'tls');
    const headers = authorization(token.token);
    const put = { method: 'PUT', path: '/v1/objects/large', body: bytes, headers };
    assert.equal((await send(put)).status, 201);
    assert.deepEqual((await send({ path: put.path, headers })).body, bytes);

    const refused = await connectTls(target());
    const length = 1 << 30;
    refused.socket.write(`PUT ${object} HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n`);
    for (let sent = 0; sent < 8; sent += 1) refused.socket.write(bytes);
    await until(() => /^HTTP\/1.1 401 [\s\S]*token-required/.test(refused.text()));
    refused.socket.destroy();

    const several = await connectTls(target(), { allowHalfOpen: true });
    const get = 'GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n';
    several.socket.end(get.repeat(5));
    await once(several.socket, 'end');
    assert.equal(several.text().match(/HTTP\/1.1 200 OK/g)?.length, 5);
  });

  it('closes behind a refusal, and serves no request that its client has sent behind it', async () => {
    const head = (type: string) =>
      `POST /v1/batch/exists HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token.token}\r\nContent-Type: ${type}\r\n`;
    const refused = `${head('none/none')}Content-Length: 14\r\n\r\n{"keys":["a"]}`;
    const behind = `${head('application/json')}Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n`;
    await Promise.all(
      Array.from({ length: 20 }, async () => {
        const client = await connectTls(target(), { allowHalfOpen: true });
        client.socket.end(refused + behind);
        await until(() => client.socket.closed || client.socket.readableEnded);
        assert.equal(client.text().match(/HTTP\/1.1 \d/g)?.length, 1);
        assert.match(client.text(), /unsupported-media-type/);
        client.socket.destroy();
      }),
    );
    await until(async () => (await metric(admin, requestsInFlight)) === 0);
  });
});

describe('a client certificate', () => {
  it('gives the scopes of its common name, and no other', async () => {
    const put = { method: 'PUT', path: object, body: 'hello' };
    const refused = await send({ ...put, identity: clients.reader });
    assert.equal(refused.status, 403);
    assert.equal(refused.problem, 'scope-missing');
    assert.match(refused.detail ?? '', /scope write, .*certificate of 'reader'/);
    assert.equal((await send({ ...put, identity: clients.writer })).status, 201);
    assert.equal((await send({ path: object, identity: clients.reader })).status, 200);
    const line = () => gateway.logged().find(({ certificate }) => certificate === 'reader');
    await until(() => line()?.['problem'] === 'scope-missing');
    const keys = { path: '/v1/clients', identity: clients.writer };
    assert.equal((await send(keys)).problem, 'scope-missing');
  });

  it('without a rule gives no scope, and /readyz needs none', async () => {
    const unnamed = await send({ path: object, identity: clients.unnamed });
    assert.equal(unnamed.problem, 'scope-missing');
    assert.equal((await send({ identity: clients.unnamed })).status, 200);
  });

  it('counts only if the client CA has signed it and it has not expired', async () => {
    for (const [identity, reason] of [
      [clients.foreign, /is not valid here: /],
      [clients.expired, /is not valid here: .*expired/i],
    ] as const) {
      const { status, problem, detail } = await send({ path: object, identity });
      assert.equal(status, 403);
      assert.equal(problem, 'certificate-required');
      assert.match(detail ?? '', reason);
    }
  });

  it('or a token is needed, and a token alone decides where there is one', async () => {
    const path = '/v1/objects/b';
    assert.equal((await send({ path })).problem, 'token-required');
    const headers = authorization(token.token);
    assert.equal((await send({ path, headers })).status, 404);
    const { foreign, reader } = clients;
    assert.equal((await send({ path, headers, identity: foreign })).status, 404);
    const wrong = authorization('mcg_abcdef_wrong');
    const invalid = await send({ path, headers: wrong, identity: reader });
    assert.equal(invalid.problem, 'token-invalid');
    const basic = { Authorization: 'Basic YTpi' };
    assert.equal((await send({ path, headers: basic, identity: reader })).status, 404);
  });

  it('is needed also on a resumed session, which Node calls authorized', async () => {
    const client = await connectTls(target(), { minVersion: 'TLSv1.3' });
    await until(() => client.session() !== undefined);
    client.socket.destroy();
    const session = client.session();
    assert.ok(session);
    const again = await connectTls(target(), { minVersion: 'TLSv1.3', session });
    assert.ok(again.socket.isSessionReused());
    again.socket.write(`GET ${object} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    await until(() => /^HTTP\/1.1 401 [\s\S]*token-required/.test(again.text()));
    again.socket.destroy();
  });

  it('is remembered by a resumed session', async () => {
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const options = { minVersion: version, maxVersion: version, identity: clients.reader };
      const client = await connectTls(target(), options);
      await until(() => client.session() !== undefined);
      client.socket.destroy();
      const session = client.session();
      const again = await connectTls(target(), { ...options, ...(session && { session }) });
      assert.ok(again.socket.isSessionReused());
      again.socket.write(`GET ${object} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
      await until(() => /^HTTP\/1.1 200 /.test(again.text()));
      again.socket.destroy();
    }
  });
});

describe('a connection with TLS of a proxy that speaks the PROXY protocol', () => {
  it('is one of the client in its header, however the handshake arrives behind it', async (t) => {
    for (const [last, cut] of [0, 20, 28].entries()) {
      const proxy = await startProxy(gateway.port, last, cut);
      t.after(() => proxy.close());
      const { status } = await requestTls(
        { port: portOf(proxy), ca: serverCa.cert },
        { path: object },
      );
      assert.equal(status, 401);
      await until(() => gateway.logged().some((line) => line['client'] === `10.0.0.${last}`));
    }
  });
});

describe('the listener for operators', () => {
  it('serves health and metrics without a token, and nothing else', async () => {
    for (const path of ['/livez', '/readyz', '/metrics']) {
      assert.equal((await fetch(`${admin}${path}`)).status, 200, path);
    }
    for (const path of ['/', '/v1/clients', object, '/docs', '/livez/']) {
      const response = await fetch(`${admin}${path}`);
      assert.equal(response.status, 404, path);
      assert.match(await response.text(), /"type":"\/problems\/no-such-resource"/);
    }
    assert.equal((await fetch(`${admin}/livez`, { method: 'POST' })).status, 405);
    assert.equal((await fetch(`${admin}/readyz?a=b`)).status, 400);
  });

  it('does not count its responses as those for lack of a worker', async () => {
    assert.equal((await fetch(`${admin}/docs`)).status, 404);
    const text = await (await fetch(`${admin}/metrics`)).text();
    assert.match(text, /^memcache_gateway_build_info/m);
    assert.doesNotMatch(text, /^memcache_gateway_fallback_responses_total\{status="404"\}/m);
  });

  it('serves a probe although 64 clients send nothing: it closes the oldest connection', async () => {
    const { port } = new URL(admin);
    const open = () => {
      const socket = net.connect(Number(port), '127.0.0.1').on('error', () => undefined);
      const isClosed = once(socket.resume(), 'close');
      return { socket, isClosed };
    };
    const held = Array.from({ length: 64 }, open);
    await until(() => held.every(({ socket }) => !socket.connecting));
    assert.equal((await fetch(`${admin}/livez`)).status, 200);
    await held[0]?.isClosed;
    assert.equal(held.at(-1)?.socket.destroyed, false);
    for (const { socket } of held) socket.destroy();
  });
});

describe('files that change', () => {
  const serialOf = async () => {
    const { socket } = await connectTls(target());
    const { serialNumber } = socket.getPeerCertificate();
    socket.destroy();
    return serialNumber;
  };
  const isOk = () => metric(admin, 'memcache_gateway_tls_files_ok');

  it('apply to later connections, and keep those that are open', async () => {
    const before = await serialOf();
    const { socket, text } = await connectTls(target());
    const expiry = await metric(admin, 'memcache_gateway_tls_certificate_expiry_timestamp_seconds');
    const readAt = await metric(admin, 'memcache_gateway_tls_files_read_timestamp_seconds');
    const next = serverCa.server({ days: 20 });
    secret.write({ 'tls.crt': next.cert, 'tls.key': next.key, 'ca.crt': clientCa.cert });
    await until(async () => (await serialOf()) !== before, { deadlineMs: 10_000 });
    socket.write('GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await until(() => text().startsWith('HTTP/1.1 200 OK'));
    socket.destroy();
    const name = 'memcache_gateway_tls_certificate_expiry_timestamp_seconds';
    assert.ok((await metric(admin, name)) < expiry);
    const now = await metric(admin, 'memcache_gateway_tls_files_read_timestamp_seconds');
    assert.ok(now > readAt, `${now} is not after ${readAt}`);
  });

  it('with faults change nothing, which the log and a metric report', async () => {
    const before = await serialOf();
    const [one, two] = [serverCa.server(), serverCa.server()];
    secret.write({ 'tls.crt': one.cert, 'tls.key': two.key, 'ca.crt': clientCa.cert });
    await until(async () => (await isOk()) === 0);
    const said = gateway
      .logged()
      .find(({ msg }) => String(msg).startsWith('the files of TLS have'));
    assert.match(JSON.stringify(said?.['faults']), /does not belong to the first certificate/);
    assert.ok(!gateway.stdout().includes('PRIVATE KEY'));
    assert.equal(await serialOf(), before);
    secret.write({ 'tls.crt': two.cert, 'tls.key': two.key, 'ca.crt': clientCa.cert });
    await until(async () => (await isOk()) === 1);
    assert.notEqual(await serialOf(), before);
    assert.equal(await metric(admin, 'memcache_gateway_tls_files_failures_total'), 1);
  });

  it('with another client CA end its certificates, also on open connections and in sessions', async () => {
    const agent = await connectTls(target(), { identity: clients.reader });
    const get = `GET ${object} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
    agent.socket.write(get);
    await until(() => agent.text().startsWith('HTTP/1.1 200 OK'));
    const session = agent.session();
    const next = serverCa.server();
    const both = clientCa.cert + otherCa.cert;
    secret.write({ 'tls.crt': next.cert, 'tls.key': next.key, 'ca.crt': both });
    await until(
      async () => (await send({ path: object, identity: clients.foreign })).status === 200,
    );
    agent.socket.write(get);
    await until(() => agent.text().split('HTTP/1.1 200 OK').length === 3);

    secret.write({ 'tls.crt': next.cert, 'tls.key': next.key, 'ca.crt': otherCa.cert });
    await until(
      async () => (await send({ path: object, identity: clients.reader })).status === 403,
    );
    agent.socket.write(get);
    await until(() => /403 Forbidden[\s\S]*the client CA has changed/.test(agent.text()));
    await until(() => agent.socket.destroyed || agent.socket.readableEnded);
    const again = await connectTls(target(), {
      ...{ identity: clients.reader },
      ...(session && { session }),
    });
    assert.equal(again.socket.isSessionReused(), false);
    again.socket.destroy();
  });
});

describe('a gateway with TLS that stops', () => {
  it('finishes a request in flight, and exits cleanly', async () => {
    const client = await connectTls(target());
    const headers = `Authorization: Bearer ${token.token}\r\nContent-Length: 4`;
    client.socket.write(`PUT /v1/objects/last HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n\r\nab`);
    const handshake = net.connect(gateway.port, '127.0.0.1').on('error', () => undefined);
    await once(handshake, 'connect');
    gateway.signal('SIGTERM');
    await until(() => gateway.logged().some(({ msg }) => String(msg).startsWith('stopping')));
    client.socket.write('cd');
    await until(() => client.text() !== '');
    // What the gateway sent instead is in the error.
    assert.match(client.text(), /^HTTP\/1.1 201/);
    await until(() => /^HTTP\/1.1 201 [\s\S]*Connection: close/.test(client.text()));
    // A handshake that has begun is finished, and its request gets a response.
    const late = tls.connect({ socket: handshake, ca: serverCa.cert, servername: 'localhost' });
    late.on('error', () => undefined);
    await once(late, 'secureConnect');
    late.write('GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n');
    const [chunk] = (await once(late, 'data')) as [Buffer];
    assert.match(chunk.toString(), /^HTTP\/1.1 (200|503) /);
    assert.deepEqual(await gateway.ended, { code: 0, signal: null });
  });
});
