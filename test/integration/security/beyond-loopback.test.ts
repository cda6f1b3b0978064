/** Listeners beyond loopback, with tokens and with --insecure; and Unix listeners. */
import assert from 'node:assert/strict';
import { chmodSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { connectRaw, requestHead } from '../../helpers/http/raw-connection.ts';
import { requestChecked } from '../../helpers/openapi/openapi.ts';
import {
  type GatewayProcess,
  type ReadyGateway,
  spawnGateway,
  startGateway,
} from '../../helpers/process/gateway.ts';
import {
  authorization,
  testToken,
  tokenFolder,
  writeTokens,
} from '../../helpers/process/token-files.ts';
import { until } from '../../helpers/process/until.ts';

const folder = tokenFolder();
const file = path.join(folder.path, 'tokens.json');
const socket = path.join(folder.path, 'g.sock');
const [user, admin] = [testToken(), testToken({ scopes: ['admin'] })];
writeTokens(file, [user, admin]);
const started: GatewayProcess[] = [];
after(async () => {
  await Promise.all(started.map((gateway) => gateway.kill()));
  folder.remove();
});

async function start(...args: string[]): Promise<ReadyGateway> {
  const gateway = await startGateway({ args });
  started.push(gateway);
  return gateway;
}

async function refusal(...args: string[]): Promise<string> {
  const gateway = spawnGateway({ args });
  started.push(gateway);
  const isReady = () => gateway.logged().some(({ msg }) => msg === 'ready');
  const fault = /faults? in the configuration/;
  await until(() => fault.test(gateway.stderr()) || isReady());
  assert.equal(isReady(), false, 'the gateway was not refused');
  assert.equal((await gateway.ended).code, 2);
  return gateway.stderr();
}

const statusOf = async (origin: string, target: string, token = '') =>
  (
    await requestChecked(origin, {
      path: target,
      headers: token === '' ? {} : authorization(token),
    })
  ).status;

describe('a listener beyond loopback', () => {
  it('does not start without tokens or --insecure, and the refusal names the ways', async () => {
    for (const args of [
      ['--host', '0.0.0.0'],
      ['--listen', '127.0.0.1:0,0.0.0.0:0'],
    ]) {
      const said = await refusal(...args);
      assert.match(said, /listen on 127\.0\.0\.1/);
      assert.match(said, /--token-file FILE/);
      assert.match(said, /--insecure \(GATEWAY_INSECURE=1\)/);
    }
  });

  it('with --insecure serves objects, and refuses the scope admin also to this machine', async () => {
    const gateway = await start('--insecure', '--host', '0.0.0.0');
    const { port } = gateway;
    for (const host of ['127.0.0.1', '127.0.0.2']) {
      const url = `http://${host}:${port}`;
      assert.equal(await statusOf(url, '/v1/objects/absent'), 404);
      const { status, headers, body } = await requestChecked(url, { path: '/v1/clients' });
      assert.equal(status, 403);
      assert.equal(headers['www-authenticate'], undefined);
      assert.match(body.toString(), /scope-missing.*only loopback and Unix listeners/);
      assert.equal(await statusOf(url, '/readyz?verbose'), 403);
      assert.equal(await statusOf(url, '/readyz'), 200);
    }
  });

  it('with --insecure leaves the scope admin to Unix listeners beside it', async () => {
    const gateway = await start('--insecure', '--listen', `0.0.0.0:0,unix:${socket}`);
    assert.equal(await statusOf(`http://127.0.0.1:${gateway.port}`, '/v1/clients'), 403);
    assert.equal(await statusOf(`unix:${socket}`, '/v1/clients'), 200);
  });

  it('with tokens starts with a warning about TLS, and needs them', async () => {
    const gateway = await start(
      '--token-file',
      file,
      '--host',
      '0.0.0.0',
      '--protect',
      'docs,metrics',
    );
    const url = `http://127.0.0.1:${gateway.port}`;
    const warning = gateway.logged().find(({ msg }) => String(msg).startsWith('--token-file:'));
    assert.equal(warning?.['level'], 'warn');
    assert.match(String(warning['msg']), /unencrypted to 0\.0\.0\.0/);
    for (const target of [
      '/v1/objects/absent',
      '/v1/clients',
      '/metrics',
      '/docs',
      '/',
      '/openapi.json',
      '/problems',
      '/problems/no-room',
      '/nowhere',
    ]) {
      assert.equal(await statusOf(url, target), 401, target);
    }
    assert.equal(await statusOf(url, '/v1/objects/absent', user.token), 404);
    assert.equal(await statusOf(url, '/v1/clients', user.token), 403);
    assert.equal(await statusOf(url, '/v1/clients', admin.token), 200);
    for (const target of ['/metrics', '/docs', '/', '/openapi.json', '/problems/no-room']) {
      assert.equal(await statusOf(url, target, admin.token), 200, target);
    }
    for (const target of ['/livez', '/readyz']) assert.equal(await statusOf(url, target), 200);
  });
});

describe('a Unix listener', () => {
  const place = path.join(folder.path, 'tokens.sock');
  before(() =>
    start('--token-file', file, '--protect', 'metrics', '--listen', `127.0.0.1:0,unix:${place}`),
  );

  it('needs tokens when they are configured', async () => {
    assert.equal(await statusOf(`unix:${place}`, '/v1/objects/absent'), 401);
    assert.equal(await statusOf(`unix:${place}`, '/v1/objects/absent', user.token), 404);
    assert.equal(await statusOf(`unix:${place}`, '/v1/clients', admin.token), 200);
  });

  it('protects a path in every spelling in which it is served', async () => {
    // Express does not count a fragment as part of the path.
    for (const target of ['/metrics', '/metrics#x', '/metrics?x#', 'http://127.0.0.1/metrics#']) {
      const connection = await connectRaw(place);
      connection.send(requestHead('GET', target, { Connection: 'close' }));
      assert.equal((await connection.next({ path: target })).status, 401, target);
      connection.destroy();
    }
    assert.equal(await statusOf(`unix:${place}`, '/docs'), 200);
  });
});

describe('a token file with a fault', () => {
  it('stops the start, and --check-config reports it', async () => {
    const wide = path.join(folder.path, 'wide.json');
    writeTokens(wide, []);
    assert.match(
      await refusal('--token-file', path.join(folder.path, 'none')),
      /none: does not exist; create it with memcache-gateway token create/,
    );
    chmodSync(wide, 0o604);
    for (const more of [[], ['--check-config']]) {
      assert.match(
        await refusal('--token-file', wide, ...more),
        /--token-file: .*mode 0604\); run chmod 600/,
      );
    }
    assert.match(
      await refusal('--protect', 'metrics'),
      /--protect: .*give --token-file or --tls-client-ca as well/,
    );
  });
});
