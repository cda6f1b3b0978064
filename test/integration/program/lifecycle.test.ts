import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { clientOf } from '../../helpers/http/checked-client.ts';
import { requestHead } from '../../helpers/http/raw-connection.ts';
import { fetchChecked } from '../../helpers/openapi/openapi.ts';
import {
  childrenOf,
  type GatewayOptions,
  type GatewayProcess,
  isAlive,
  poolExists,
  poolOf,
  type ReadyGateway,
  spawnGateway,
  startGateway,
} from '../../helpers/process/gateway.ts';
import { until } from '../../helpers/process/until.ts';

const started: GatewayProcess[] = [];
afterEach(async () => {
  for (const gateway of started.splice(0)) await gateway.kill();
});

async function start(options: GatewayOptions = {}): Promise<ReadyGateway> {
  const gateway = await startGateway(options);
  started.push(gateway);
  return gateway;
}

function spawn(options: GatewayOptions): GatewayProcess {
  const gateway = spawnGateway(options);
  started.push(gateway);
  return gateway;
}

const statusOf = async (url: string): Promise<number> => (await fetchChecked(url)).status;

/** Sends a PUT with half a body: it stays in flight until the test calls `finish`. */
async function openPut(gateway: ReadyGateway, key: string) {
  const request = http.request(`${gateway.url}/v1/objects/${key}`, {
    method: 'PUT',
    agent: false,
    headers: { 'Content-Length': 4 },
  });
  const answer = new Promise<number>((resolve, reject) => {
    request.once('response', (response) => {
      response.resume();
      response.once('end', () => resolve(response.statusCode ?? 0));
    });
    request.once('error', reject);
  });
  answer.catch(() => {});
  request.write('ab');
  // The second request is the scrape itself.
  const inFlight = /^memcache_gateway_http_requests_in_flight 2$/m;
  await until(async () => inFlight.test(await metricsOf(gateway)));
  return { answer, finish: () => request.end('cd') };
}

/**
 * Opens new connections until one is refused: the listener first accepts the queued ones, and a
 * kept-alive connection may still be served.
 */
const untilRefused = (port: number): Promise<void> =>
  until(async () => {
    const socket = net.connect(port, '127.0.0.1');
    try {
      await once(socket, 'connect');
      return false;
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'ECONNREFUSED');
      return true;
    } finally {
      socket.destroy();
    }
  });

const metricsOf = async ({ url }: ReadyGateway) => (await fetchChecked(`${url}/metrics`)).text();

describe('a start', () => {
  it('logs its address in one line, and serves there', async () => {
    const gateway = await start();
    const { ready, url } = gateway;
    assert.equal(ready['docs'], `${url}/docs`);
    assert.equal(ready['engine'], 'embedded');
    assert.equal(ready['arenaBytes'], 32 * 2 ** 20);
    assert.deepEqual([ready['devices'], ready['serviceIds'], ready['starting']], [[0], [0], 0]);
    assert.ok(Number(ready['maxConnections']) < Number(ready['openFiles']));
    assert.equal(gateway.logged().length, 1);
    assert.equal(gateway.stderr(), '');
    assert.equal(await statusOf(`${url}/livez`), 200);
    assert.equal(await statusOf(`${url}/readyz`), 200);
    assert.equal(await clientOf(() => gateway).put('a', 'hello'), 'created');
  });

  it('exits with 1 and an explanation when the port is in use', async () => {
    const { port } = await start();
    const second = spawn({ args: ['--port', String(port)] });
    assert.deepEqual(await second.ended, { code: 1, signal: null });
    assert.match(second.stderr(), /port \d+ on 127\.0\.0\.1 is already in use/);
    assert.equal(second.stdout(), '');
  });

  it('exits with 1 and an explanation when the engine file is not an engine', async () => {
    const gateway = spawn({
      args: ['--engine', '/proc/self/exe'],
      env: { MMC_LOCAL_CONFIG_PATH: 'none' },
    });
    assert.deepEqual(await gateway.ended, { code: 1, signal: null });
    assert.match(gateway.stderr(), /Cannot load the engine|cannot load/i);
  });

  it('adds the pid and the device to the log lines of workers', async () => {
    const gateway = await start({ args: ['--access-log'] });
    await fetchChecked(`${gateway.url}/livez`);
    await until(() => gateway.logged().length > 1);
    const line = gateway.logged().at(-1);
    assert(line);
    assert.equal(line['pid'], gateway.workerPid());
    assert.equal(line['device'], 0);
  });
});

describe('a killed worker', () => {
  it('is replaced while the port stays open and requests get 503', async () => {
    const gateway = await start();
    const first = gateway.workerPid();
    assert(first);
    process.kill(first, 'SIGKILL');
    await until(async () => (await statusOf(`${gateway.url}/readyz`).catch(() => 0)) === 503);
    assert.equal(await statusOf(`${gateway.url}/livez`), 200);
    assert.equal(await statusOf(`${gateway.url}/v1/objects/a`), 503);
    await until(async () => (await statusOf(`${gateway.url}/readyz`)) === 200);
    assert.notEqual(gateway.workerPid(), first);
    assert.match(await metricsOf(gateway), /^memcache_gateway_worker_restarts_total\S* 1$/m);
    assert.equal(await clientOf(() => gateway).put('a', 'x'), 'created');
  });
});

describe('a client that pipelines and breaks its connection', () => {
  it('does not affect other clients while there is no worker', async () => {
    const gateway = await start();
    process.kill(gateway.workerPid() ?? 0, 'SIGKILL');
    await until(async () => (await statusOf(`${gateway.url}/readyz`).catch(() => 0)) === 503);
    const get = requestHead('GET', '/a');
    // The end of the upload completes a response that is queued behind an unsent one.
    const requests = `${get}${requestHead('PUT', '/a', { 'Content-Length': 3 })}abc${get}`;
    for (let i = 0; i < 20; i += 1) {
      const socket = net.connect(gateway.port, '127.0.0.1');
      await once(socket, 'connect');
      socket.write(requests);
      socket.resetAndDestroy();
      await once(socket, 'close');
    }
    await until(async () => (await statusOf(`${gateway.url}/readyz`)) === 200);
    const errors = gateway.logged().filter(({ level }) => level === 'error');
    assert.deepEqual(
      errors.map(({ msg }) => msg),
      ['worker was ended by SIGKILL'],
    );
    assert.equal(gateway.stderr(), '');
  });
});

/** The last line of the log is that of the end. */
function assertStopped(gateway: GatewayProcess, code: number): void {
  const { msg, level, code: logged, uptimeMs, pid } = gateway.logged().at(-1) ?? {};
  assert.deepEqual([msg, level, logged, pid], ['stopped', 'info', code, gateway.pid]);
  assert.ok(Number(uptimeMs) > 100 && Number(uptimeMs) < 600_000, String(uptimeMs));
}

describe('a stop', () => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    it(`by ${signal} lets a request in flight finish, removes the pool, and exits with 0`, async () => {
      const gateway = await start();
      const worker = gateway.workerPid();
      const pool = poolOf(worker);
      assert(poolExists(pool));
      const put = await openPut(gateway, 'a');
      gateway.signal(signal);
      await until(() =>
        gateway.logged().some((line) => String(line['msg']).startsWith('stopping')),
      );
      await untilRefused(gateway.port);
      put.finish();
      assert.equal(await put.answer, 201);
      assert.deepEqual(await gateway.ended, { code: 0, signal: null });
      assert.equal(gateway.stderr(), '');
      assertStopped(gateway, 0);
      assert.equal(isAlive(worker ?? 0), false);
      assert.equal(poolExists(pool), false);
    });
  }

  it('by signals to the whole process group, as from a terminal, counts once', async () => {
    const gateway = await start();
    const put = await openPut(gateway, 'a');
    process.kill(gateway.workerPid() ?? 0, 'SIGINT');
    gateway.signal('SIGINT');
    gateway.signal('SIGINT');
    await until(() => gateway.logged().some((line) => String(line['msg']).startsWith('stopping')));
    put.finish();
    assert.equal(await put.answer, 201);
    assert.deepEqual(await gateway.ended, { code: 0, signal: null });
  });

  it('ends at once with a second signal, and names the requests in flight', async () => {
    const gateway = await start();
    const pool = poolOf(gateway.workerPid());
    const put = await openPut(gateway, 'a');
    gateway.signal('SIGTERM');
    await until(() => gateway.logged().some((line) => String(line['msg']).startsWith('stopping')));
    const before = performance.now();
    await until(() => performance.now() - before > 100);
    gateway.signal('SIGTERM');
    assert.deepEqual(await gateway.ended, { code: 1, signal: null });
    assert.match(
      gateway.stderr(),
      /a second signal, SIGTERM.*requests in flight: 1, engine calls: 0/,
    );
    await assert.rejects(put.answer);
    assertStopped(gateway, 1);
    assert.equal(poolExists(pool), false);
  });

  it('ends after --drain-ms, and names the requests that were cut off', async () => {
    const gateway = await start({ args: ['--drain-ms', '100'] });
    const put = await openPut(gateway, 'a');
    gateway.signal('SIGTERM');
    assert.deepEqual(await gateway.ended, { code: 1, signal: null });
    assert.match(gateway.stderr(), /cut off: the worker of device 0 .*requests in flight: 1, /);
    assertStopped(gateway, 1);
    await assert.rejects(put.answer);
  });

  it('during a start exits with 0 and leaves no worker', async () => {
    const gateway = spawn({});
    await until(() => gateway.workerPid() !== undefined);
    const worker = gateway.workerPid();
    gateway.signal('SIGTERM');
    assert.deepEqual(await gateway.ended, { code: 0, signal: null });
    assert.equal(isAlive(worker ?? 0), false);
  });
});

describe('npm start', () => {
  it('forwards SIGTERM: the gateway exits with 0 before npm does, and its pool is removed', async (t) => {
    // A service manager knows only npm's process, and the shell between them forwards no signal.
    const npm = await start({ command: ['npm', 'start', '--'] });
    const supervisor = Number(npm.ready['pid']);
    t.after(() => {
      if (isAlive(supervisor)) process.kill(supervisor, 'SIGKILL');
    });
    const [worker] = childrenOf(supervisor);
    const pool = poolOf(worker);
    npm.signal('SIGTERM');
    assert.deepEqual(await npm.ended, { code: 0, signal: null });
    assert.equal(isAlive(supervisor), false);
    assert.equal(isAlive(worker ?? 0), false);
    assert.equal(poolExists(pool), false);
    await untilRefused(npm.port);
  });
});

describe('a killed supervisor', () => {
  it('ends its worker, and leaves nothing in /dev/shm', async () => {
    const gateway = await start();
    const worker = gateway.workerPid();
    const pool = poolOf(worker);
    assert(worker);
    gateway.signal('SIGKILL');
    await gateway.ended;
    await until(() => !isAlive(worker));
    assert.equal(poolExists(pool), false);
    await untilRefused(gateway.port);
  });
});
