import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import net, { type AddressInfo } from 'node:net';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { placeToAsk } from '../../../../src/cli/check-ready/command.ts';
import { requestReady } from '../../../../src/cli/check-ready/request-ready.ts';
import { interpretConfig } from '../../../../src/config/config.ts';
import { parseCommandLine } from '../../../../src/config/flags.ts';
import { writeListenAddress } from '../../../../src/config/listen.ts';
import { gatewayCommand } from '../../../helpers/process/gateway.ts';
import { certificateFolder } from '../../../helpers/tls/certificates.ts';

const folder = certificateFolder();
const servers: net.Server[] = [];
after(() => {
  for (const server of servers) server.close();
  folder.remove();
});

const seen: (string | undefined)[] = [];
const ready: http.RequestListener = (request, response) => {
  seen.push(`${request.method} ${request.url} ${request.headers.host}`);
  response.end('{"status":"ready"}');
};
const unready: http.RequestListener = (_request, response) => {
  response.writeHead(503).end('{"detail":"The engine of no device is ready."}');
};

/** Returns the port, or 0 for a socket file. */
async function listening(server: net.Server, where: string | number): Promise<number> {
  servers.push(server);
  if (typeof where === 'string') server.listen(where);
  else server.listen(where, '127.0.0.1');
  await once(server, 'listening');
  return typeof where === 'string' ? 0 : (server.address() as AddressInfo).port;
}

const atPort = async (server: net.Server) => ({
  host: '127.0.0.1',
  port: await listening(server, 0),
});

/** Runs `check-ready` as a health check does. */
async function run(...args: readonly string[]) {
  const child = spawn(process.execPath, [...gatewayCommand(), 'check-ready', ...args]);
  let output = '';
  const append = (chunk: Buffer) => (output += String(chunk));
  child.stdout.on('data', append);
  child.stderr.on('data', append);
  const [code] = (await once(child, 'close')) as [number];
  return { code, output };
}

describe('the request of check-ready', () => {
  it('goes to /readyz with the name localhost, over TCP and over a socket file', async () => {
    const file = path.join(folder.path, 'gateway.sock');
    await listening(http.createServer(ready), file);
    const place = await atPort(http.createServer(ready));
    seen.length = 0;
    for (const each of [place, { path: file }, { ...place, host: '0.0.0.0' }]) {
      const text = `${writeListenAddress(each)}: ready`;
      assert.deepEqual(await requestReady(each), { ready: true, text });
    }
    assert.deepEqual(seen, Array(3).fill('GET /readyz localhost'));
  });

  it('accepts any certificate of a listener with TLS', async () => {
    const server = https.createServer(folder.authority().server({ days: -1 }), ready);
    const place = { ...(await atPort(server)), scheme: 'tls' } as const;
    assert.equal((await requestReady(place)).ready, true);
  });

  it('reports the detail of a gateway that is not ready', async () => {
    const place = await atPort(http.createServer(unready));
    const { ready: isReady, text } = await requestReady(place);
    assert.equal(isReady, false);
    assert.match(text, /^127\.0\.0\.1:\d+: 503 The engine of no device is ready\.$/);
  });

  it('ends without a response after 4 s, and at once without a listener', async () => {
    const silent = await atPort(net.createServer());
    const slow = await requestReady(silent);
    assert.deepEqual([slow.ready, /: no response within 4 s$/.test(slow.text)], [false, true]);
    const nothing = await requestReady({ path: path.join(folder.path, 'nothing.sock') });
    assert.equal(nothing.ready, false);
    assert.match(nothing.text, /ENOENT/);
  });

  it('refuses a response that is no HTTP, and one without an end', async () => {
    const noHttp = net.createServer((socket) => socket.end('hello\r\n\r\n'));
    assert.equal((await requestReady(await atPort(noHttp))).ready, false);
    const long = http.createServer((_request, response) => response.write('x'.repeat(200_000)));
    const { ready: isReady, text } = await requestReady(await atPort(long));
    assert.equal(isReady, false);
    assert.match(text, /is no \/readyz of a gateway$/);
  });
});

describe('the address that check-ready requests', () => {
  const asked = (...args: readonly string[]) => {
    const interpreted = interpretConfig(parseCommandLine(args), {});
    assert.ok('config' in interpreted, JSON.stringify(interpreted));
    const place = placeToAsk(interpreted.config);
    return place && writeListenAddress(place);
  };

  it('is the first that clients use, or that of admin: with the PROXY protocol', () => {
    assert.equal(asked(), '127.0.0.1:8080');
    const both = ['--listen', 'admin:127.0.0.1:81,unix:/run/a.sock,127.0.0.1:82'];
    assert.equal(asked(...both), 'unix:/run/a.sock');
    const proxied = ['--proxy-protocol', '--trusted-proxy', '127.0.0.1'];
    assert.equal(asked(...both, ...proxied), 'admin:127.0.0.1:81');
    assert.equal(asked('--listen', '127.0.0.1:82', ...proxied), '127.0.0.1:82');
  });

  it('is none with a port of 0, which may be any', () => {
    assert.equal(asked('--port', '0'), undefined);
    assert.equal(asked('--listen', '127.0.0.1:0,127.0.0.1:82'), '127.0.0.1:82');
  });
});

describe('check-ready', () => {
  it('exits with 0 if ready, with 1 if not, and with 2 for faulty settings', async () => {
    const { port } = await atPort(http.createServer(ready));
    assert.deepEqual(await run('--port', `${port}`), {
      code: 0,
      output: `127.0.0.1:${port}: ready\n`,
    });
    const { port: other } = await atPort(http.createServer(unready));
    assert.equal((await run('--port', `${other}`)).code, 1);
    const { code, output } = await run('--port', '65536', '--nonsense');
    assert.equal(code, 2);
    assert.match(output, /2 faults in the configuration/);
    assert.equal((await run('--port', '0')).code, 2);
  });

  it('has a help of at most 80 columns', async () => {
    const { code, output } = await run('--help');
    assert.equal(code, 0);
    assert.match(output, /^Usage: memcache-gateway check-ready /);
    for (const line of output.split('\n')) assert.ok(line.length <= 80, line);
  });
});
