/** The token file of a running gateway: all workers and the fallback server follow it. */
import assert from 'node:assert/strict';
import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { connectRaw, requestHead } from '../../helpers/http/raw-connection.ts';
import { childrenOf, type ReadyGateway, startGateway } from '../../helpers/process/gateway.ts';
import { metric } from '../../helpers/process/metrics.ts';
import {
  authorization,
  type TestToken,
  testToken,
  tokenFolder,
  writeTokens,
} from '../../helpers/process/token-files.ts';
import { until } from '../../helpers/process/until.ts';

const folder = tokenFolder();
const file = path.join(folder.path, 'tokens.json');
const admin = testToken({ scopes: ['admin'] });
const [old, fresh] = [testToken(), testToken()];
/** The promised two seconds, and a margin for a busy machine. */
const DEADLINE_MS = 2000;
const ok = 'memcache_gateway_token_file_ok';

let gateway: ReadyGateway;
before(async () => {
  writeTokens(file, [admin, old]);
  gateway = await startGateway({
    args: [
      '--devices',
      '3,5',
      '--ready-when',
      'all',
      '--pool-bytes',
      '32MiB',
      '--token-file',
      file,
    ],
  });
});
after(async () => {
  await gateway.kill();
  folder.remove();
});

/** Sends a request on a connection of its own; resolves with the worker that has served it, and the status. */
async function ask({ token }: TestToken, target = '/v1/objects/absent') {
  const response = await fetch(gateway.url + target, {
    headers: { ...authorization(token), Connection: 'close' },
  });
  await response.arrayBuffer();
  return response.status;
}

/** Connections to all workers: each worker has some of them. */
async function connectToBoth() {
  const connections = new Map<unknown, Awaited<ReturnType<typeof connectRaw>>>();
  await until(async () => {
    const connection = await connectRaw(gateway.port);
    connection.send(requestHead('GET', '/readyz'));
    const { body } = await connection.next({ path: '/readyz' });
    const { device } = JSON.parse(body.toString()) as { device: number };
    if (connections.has(device)) connection.destroy();
    else connections.set(device, connection);
    return connections.size === 2;
  });
  return [...connections.values()].map((connection) => ({
    destroy: () => connection.destroy(),
    async status({ token }: TestToken): Promise<number> {
      connection.send(requestHead('GET', '/v1/objects/absent', authorization(token)));
      return (await connection.next({ path: '/v1/objects/absent' })).status;
    },
  }));
}

const linesWith = (text: string) =>
  gateway.logged().filter(({ msg }) => String(msg).startsWith(text));

describe('a token file that changes', () => {
  it('applies within two seconds to all workers, on connections that are open', async () => {
    const both = await connectToBoth();
    for (const each of both) {
      assert.deepEqual([await each.status(old), await each.status(fresh)], [404, 401]);
    }
    const startMs = performance.now();
    writeTokens(file, [admin, fresh]);
    for (const each of both) {
      await until(async () => (await each.status(fresh)) === 404, { deadlineMs: DEADLINE_MS });
      await until(async () => (await each.status(old)) === 401, { deadlineMs: DEADLINE_MS });
    }
    assert.ok(performance.now() - startMs < DEADLINE_MS);
    for (const each of both) each.destroy();
    assert.equal(await metric(gateway.url, 'memcache_gateway_token_file_tokens'), 2);
    writeTokens(file, [admin, old]);
    await until(async () => (await ask(old)) === 404, { deadlineMs: DEADLINE_MS });
  });

  it('that is broken, wider or missing leaves the tokens in use, and says so', async () => {
    const faults: [() => void, RegExp][] = [
      [() => writeFileSync(file, '{"version":1,"tokens":[{"id"'), /not a JSON object/],
      [() => chmodSync(file, 0o640), /mode 0640\); run chmod 600/],
      [() => rmSync(file), /does not exist/],
    ];
    for (const [breakFile, pattern] of faults) {
      const before = linesWith('the token file has faults').length;
      breakFile();
      await until(() => linesWith('the token file has faults').length > before);
      const line = linesWith('the token file has faults').at(-1);
      assert.equal(line?.['level'], 'error');
      assert.match(String(line?.['faults']), pattern);
      assert.equal(await metric(gateway.url, ok), 0);
      assert.deepEqual(
        [await ask(old), await ask(fresh), await ask(admin, '/v1/clients')],
        [404, 401, 200],
      );
    }
    writeTokens(file, [admin, old]);
    await until(async () => (await metric(gateway.url, ok)) === 1, { deadlineMs: DEADLINE_MS });
    assert.equal(await metric(gateway.url, 'memcache_gateway_token_file_failures_total'), 3);
    const readAt = await metric(gateway.url, 'memcache_gateway_token_file_read_timestamp_seconds');
    assert.ok(Math.abs(readAt - Date.now() / 1000) < 60, String(readAt));
  });

  it('is read at once on SIGHUP', async () => {
    const message = 'the token file was read again';
    const before = linesWith(message).length;
    gateway.signal('SIGHUP');
    await until(() => linesWith(message).length > before);
    assert.equal(linesWith(message).at(-1)?.['tokens'], 2);
    writeTokens(file, [admin, old, fresh]);
    gateway.signal('SIGHUP');
    await until(async () => (await ask(fresh)) === 404, { deadlineMs: DEADLINE_MS });
  });

  it('is known to the worker that replaces a killed one', async () => {
    writeTokens(file, [admin, fresh]);
    await until(async () => (await ask(old)) === 401, { deadlineMs: DEADLINE_MS });
    const [first = 0] = childrenOf(gateway.pid);
    process.kill(first, 'SIGKILL');
    await until(() => linesWith('worker is ready again').length === 1);
    const both = await connectToBoth();
    for (const each of both) {
      assert.deepEqual([await each.status(fresh), await each.status(old)], [404, 401]);
      each.destroy();
    }
  });

  it('never passes through command lines or environments', () => {
    for (const pid of [gateway.pid, ...childrenOf(gateway.pid)]) {
      const visible = ['cmdline', 'environ']
        .map((name) => readFileSync(`/proc/${pid}/${name}`, 'utf8'))
        .join('\0');
      for (const { entry } of [admin, old, fresh]) {
        assert.ok(!visible.includes(entry.sha256) && !visible.includes(entry.id));
      }
    }
  });

  it('applies while no worker is ready', async () => {
    const stopped = childrenOf(gateway.pid);
    writeTokens(file, [admin, old]);
    await until(async () => (await ask(old)) === 404, { deadlineMs: DEADLINE_MS });
    // A worker that does not run sends no heartbeat, so the supervisor responds in its place.
    for (const pid of stopped) process.kill(pid, 'SIGSTOP');
    try {
      await until(
        async () => (await ask(admin, '/v1/clients')) === 200 && (await ask(old)) === 503,
      );
      assert.deepEqual([await ask(fresh), await ask(old, '/v1/clients')], [401, 403]);
      assert.equal((await fetch(`${gateway.url}/livez`)).status, 200);
      writeTokens(file, [admin, fresh]);
      await until(async () => (await ask(fresh)) === 503 && (await ask(old)) === 401);
    } finally {
      for (const pid of stopped) process.kill(pid, 'SIGCONT');
    }
  });
});
