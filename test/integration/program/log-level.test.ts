/** The log level at run time, with the real program and two workers. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { logLevels } from '../../../src/config/setting.ts';
import type { OwnConnection } from '../../helpers/http/own-connection.ts';
import { requestChecked } from '../../helpers/openapi/openapi.ts';
import { childrenOf, type ReadyGateway, startGateway } from '../../helpers/process/gateway.ts';
import { connectionsTo } from '../../helpers/process/stopped-worker.ts';
import { authorization, testToken, writeTokens } from '../../helpers/process/token-files.ts';
import { until } from '../../helpers/process/until.ts';

const where = '/v1/admin/log-level';
const devices = [3, 5];
const folder = mkdtempSync(path.join(tmpdir(), 'log-level-'));
const settings = path.join(folder, 'gateway.conf');
let gateway: ReadyGateway;
before(async () => {
  writeFileSync(settings, 'GATEWAY_LOG_LEVEL=error\n');
  const args = ['--devices', '3,5', '--ready-when', 'all', '--settings-file', settings];
  gateway = await startGateway({ args: [...args, '--access-log', '--heartbeat-ms', '0'] });
});
after(async () => {
  await gateway.kill();
  rmSync(folder, { recursive: true });
});

const linesOf = (message: string) => gateway.logged().filter(({ msg }) => msg === message);

const put = (body: string, type = 'application/json') =>
  requestChecked(gateway.url, {
    ...{ method: 'PUT', path: where, body },
    headers: { 'Content-Type': type },
  });

async function setLevel(level: string): Promise<void> {
  const { status, body } = await put(JSON.stringify({ level }));
  assert.equal(status, 200, body.toString());
  assert.deepEqual(JSON.parse(body.toString()), { level });
}

async function levelOf(connection: OwnConnection): Promise<string> {
  const { status, body } = await connection.ask('GET', where);
  assert.equal(status, 200, body);
  return (JSON.parse(body) as { level: string }).level;
}

/** The levels that the workers report, on a connection to each. */
async function levels(): Promise<string[]> {
  return Promise.all(
    devices.map(async (device) => {
      const [connection] = await connectionsTo(gateway.url, device, 1);
      assert(connection !== undefined);
      return levelOf(connection).finally(() => connection.close());
    }),
  );
}

describe('PUT /v1/admin/log-level', () => {
  it('sets the level of the supervisor and of all workers before it returns', async () => {
    assert.deepEqual(await levels(), ['error', 'error']);
    for (const level of logLevels) {
      await setLevel(level);
      assert.deepEqual(await levels(), [level, level]);
    }
    await setLevel('info');
    assert.deepEqual(await levels(), ['info', 'info']);
    await until(() => new Set(linesOf('request').map(({ device }) => device)).size === 2);
    await setLevel('error');
    const set = linesOf('a request has set the log level');
    // At the more verbose of the two levels; between error and silent there is no line.
    assert.deepEqual(set.map(({ from, to }) => [from, to]).slice(-2), [
      ['silent', 'info'],
      ['info', 'error'],
    ]);
  });

  it('is kept by a worker that starts later', async () => {
    await setLevel('warn');
    const [victim = 0] = childrenOf(gateway.pid);
    process.kill(victim, 'SIGKILL');
    await until(
      () => childrenOf(gateway.pid).length === 2 && !childrenOf(gateway.pid).includes(victim),
    );
    await until(async () => (await fetch(`${gateway.url}/readyz`)).status === 200);
    assert.deepEqual(await levels(), ['warn', 'warn']);
  });

  it('returns 202 with the devices whose worker has not confirmed in time', async () => {
    const [stopped, other] = await Promise.all(
      devices.map(async (device) => (await connectionsTo(gateway.url, device, 1))[0]),
    );
    assert(stopped !== undefined && other !== undefined);
    const { body } = await other.ask('GET', '/v1/clients');
    const { clients } = JSON.parse(body) as { clients: { device: number; pid: number }[] };
    const pid = clients.find(({ device }) => device === devices[0])?.pid;
    assert(pid !== undefined);
    process.kill(pid, 'SIGSTOP');
    try {
      const text = '{"level":"info"}';
      const answer = await other.ask('PUT', where, text, 'application/json');
      assert.deepEqual(
        [answer.status, JSON.parse(answer.body)],
        [202, { level: 'info', pendingDevices: [3] }],
      );
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    assert.equal(await levelOf(stopped), 'info');
    for (const connection of [stopped, other]) connection.close();
  });

  it('ends when SIGHUP reads the settings again', async () => {
    await setLevel('debug');
    gateway.signal('SIGHUP');
    await until(() => linesOf('the settings were read again').length === 1);
    await until(async () => (await levels()).join() === 'error,error');
  });
});

describe('a request for a log level', () => {
  const refused = async (body: string, status: number, detail: RegExp, type?: string) => {
    const answer = await put(body, type);
    assert.equal(answer.status, status, answer.body.toString());
    assert.match((JSON.parse(answer.body.toString()) as { detail: string }).detail, detail);
  };

  it('gets 400 with the list of levels for an unknown one', async () => {
    for (const level of ['verbose', '', 'DEBUG', 'info ', 'toString']) {
      await refused(
        JSON.stringify({ level }),
        400,
        /known: trace, debug, info, warn, error, fatal, silent/,
      );
    }
  });

  it('gets 400 for any other body, and 415 for another type', async () => {
    await refused('{}', 400, /no member "level"/);
    await refused('', 400, /object/);
    await refused('{"level":1}', 400, /string/);
    await refused('{"level":"info","level":"info"}', 400, /twice/);
    await refused('{"level":"info","logger":"a"}', 400, /unknown member "logger" \(known: level\)/);
    await refused('{"level":"info"}x', 400, /after its end/);
    await refused('{"level":"info"}', 415, /./, 'text/plain');
  });

  it('gets 400 for a query, and 405 for another method', async () => {
    for (const [method, target, status] of [
      ['GET', `${where}?level=info`, 400],
      ['PUT', `${where}?level=info`, 400],
      ['POST', where, 405],
      ['DELETE', where, 405],
    ] as const) {
      const answer = await requestChecked(gateway.url, { method, path: target });
      assert.equal(answer.status, status, `${method} ${target}`);
    }
  });

  it('changes nothing when it is refused', async () => {
    assert.deepEqual(await levels(), ['error', 'error']);
  });
});

describe('a change of the token file', () => {
  it('leaves the level alone', async () => {
    const file = path.join(folder, 'tokens.json');
    const admin = testToken({ scopes: ['admin'] });
    writeTokens(file, [admin]);
    const own = await startGateway({ args: ['--token-file', file] });
    const headers = { ...authorization(admin.token), 'Content-Type': 'application/json' };
    const body = '{"level":"debug"}';
    assert.equal((await fetch(`${own.url}${where}`, { method: 'PUT', headers, body })).status, 200);
    const fresh = testToken({ scopes: ['admin'] });
    writeTokens(file, [fresh]);
    const ask = () => fetch(`${own.url}${where}`, { headers: authorization(fresh.token) });
    await until(async () => (await ask()).status === 200);
    assert.deepEqual(await (await ask()).json(), { level: 'debug' });
    await own.kill();
  });
});
