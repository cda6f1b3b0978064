/** How a gateway ends while clients are at work, and with an engine that makes it hard. */
import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import http from 'node:http';
import net from 'node:net';
import { afterEach, describe, it } from 'node:test';
import {
  isAlive,
  poolExists,
  poolOf,
  type ReadyGateway,
  startGateway,
} from '../helpers/gateway.ts';
import {
  createInjection,
  type Injection,
  injectingLibrary,
  type Rule,
} from '../helpers/injecting.ts';
import { requestHead } from '../helpers/raw-connection.ts';
import { until } from '../helpers/until.ts';

const gateways: ReadyGateway[] = [];
const injections: Injection[] = [];
afterEach(async () => {
  for (const gateway of gateways.splice(0)) await gateway.kill();
  for (const injection of injections.splice(0)) injection.dispose();
});

async function start(rules: readonly Rule[], flags: readonly string[] = []) {
  const injection = createInjection(rules);
  injections.push(injection);
  const args = ['--engine', await injectingLibrary(), ...flags];
  const gateway = await startGateway({ args, env: injection.env });
  gateways.push(gateway);
  const worker = gateway.workerPid() ?? assert.fail('no worker');
  return { injection, gateway, worker, pool: poolOf(worker) };
}

/** Clients that put and get objects, on connections that they keep or not, until the gateway takes no more. */
function startLoad(gateway: ReadyGateway, clients: number, { keepAlive = true } = {}) {
  const statuses = new Map<number, number>();
  const lost: string[] = [];
  // In turn, so that no connection is idle for longer than a stop waits.
  const agent = new http.Agent({ keepAlive, maxSockets: clients, scheduling: 'fifo' });
  const value = randomBytes(20_000);
  let wrongBytes = 0;
  /** Undefined when the connection was refused; one that was accepted and then lost is a request that failed. */
  const ask = (method: string, key: string, body?: Buffer) =>
    new Promise<Buffer | undefined>((resolve) => {
      const request = http.request(`${gateway.url}/v1/objects/${key}`, { method, agent });
      const lose = (error: NodeJS.ErrnoException) => {
        if (error.code !== 'ECONNREFUSED') lost.push(`${method} ${error.code ?? error.message}`);
        resolve(undefined);
      };
      request.on('error', lose);
      request.on('response', (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', lose);
        response.on('end', () => {
          const status = response.statusCode ?? 0;
          statuses.set(status, (statuses.get(status) ?? 0) + 1);
          resolve(Buffer.concat(chunks));
        });
      });
      request.end(body);
    });
  const work = async () => {
    for (;;) {
      const key = randomUUID();
      if ((await ask('PUT', key, value)) === undefined) return;
      const read = await ask('GET', key);
      if (read === undefined) return;
      if (read.length === value.length && !read.equals(value)) wrongBytes += 1;
    }
  };
  const ended = Promise.all(Array.from({ length: clients }, work)).then(() => agent.destroy());
  return {
    ended,
    done: () => statuses.get(200) ?? 0,
    statuses: () => [...statuses.keys()].sort(),
    faults: () => [...lost, ...Array<string>(wrongBytes).fill('wrong bytes')],
  };
}

/** One request on a connection of its own: the status, or how the connection was lost. */
function askOnce(port: number, onConnect: () => void): Promise<string> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    let answer = '';
    socket.once('connect', () => {
      socket.write(requestHead('GET', '/livez', { Connection: 'close' }));
      onConnect();
    });
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString('latin1');
    });
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    socket.once('end', () => {
      socket.destroy();
      resolve(answer.split(' ')[1] ?? 'no answer');
    });
  });
}

describe('a gateway under load', () => {
  it('that loses its supervisor answers what it has begun, uninitialises and leaves nothing', async () => {
    const { injection, gateway, worker, pool } = await start([], ['--drain-ms', '5000']);
    const load = startLoad(gateway, 16);
    await until(() => load.done() > 200);
    gateway.signal('SIGKILL');
    await gateway.ended;
    await until(() => !isAlive(worker), { deadlineMs: 15_000 });
    await load.ended;
    assert.deepEqual([load.statuses(), load.faults()], [[200, 201], []]);
    assert.equal(injection.counters('uninit').returned, 1);
    assert.equal(poolExists(pool), false);
  });

  it('that is told to stop is unready first, serves on for a while, and ends clean', async () => {
    const { injection, gateway, worker, pool } = await start([], ['--drain-delay-ms', '2000']);
    const load = startLoad(gateway, 16);
    await until(() => load.done() > 200);
    gateway.signal('SIGTERM');
    const before = load.done();
    const readiness = () => fetch(`${gateway.url}/readyz`);
    await until(async () => (await readiness()).status === 503);
    assert.match(await (await readiness()).text(), /"The gateway is stopping\."/);
    assert.deepEqual(await gateway.ended, { code: 0, signal: null });
    await load.ended;
    assert.ok(load.done() > before + 100);
    assert.deepEqual([load.statuses(), load.faults()], [[200, 201], []]);
    assert.equal(gateway.stderr(), '');
    assert.equal(isAlive(worker), false);
    assert.equal(injection.counters('uninit').returned, 1);
    assert.equal(poolExists(pool), false);
  });

  for (const keepAlive of [true, false]) {
    it(`that is told to stop fails none whom it has accepted, ${keepAlive ? 'also who asks again' : 'on connections of their own'}`, async () => {
      const { gateway, worker } = await start([], ['--devices', '0-1', '--ready-when', 'all']);
      const load = startLoad(gateway, 32, { keepAlive });
      await until(() => load.done() > 200);
      gateway.signal('SIGTERM');
      assert.deepEqual(await gateway.ended, { code: 0, signal: null });
      await load.ended;
      assert.deepEqual([load.statuses(), load.faults()], [[200, 201], []]);
      assert.equal(gateway.stderr(), '');
      assert.equal(isAlive(worker), false);
    });
  }

  it('that is told to stop answers those whom only the kernel has accepted', async () => {
    const { gateway } = await start([]);
    const count = 200;
    let connected = 0;
    gateway.signal('SIGSTOP');
    const outcomes = Promise.all(
      Array.from({ length: count }, () => askOnce(gateway.port, () => (connected += 1))),
    );
    await until(() => connected === count);
    gateway.signal('SIGTERM');
    gateway.signal('SIGCONT');
    assert.deepEqual([...new Set(await outcomes)], ['200']);
    assert.deepEqual(await gateway.ended, { code: 0, signal: null });
  });

  it('loses a worker on purpose, and no request', async () => {
    const { gateway, worker } = await start([], ['--devices', '0-1', '--ready-when', 'all']);
    const load = startLoad(gateway, 16);
    await until(() => load.done() > 200);
    process.kill(worker, 'SIGTERM');
    await until(() => gateway.logged().some(({ msg }) => msg === 'worker is ready again'));
    const before = load.done();
    await until(() => load.done() > before + 100);
    gateway.signal('SIGTERM');
    await gateway.ended;
    await load.ended;
    // What lay in the memory of the worker that left is gone with it.
    assert.deepEqual(
      load.statuses().filter((status) => status !== 404),
      [200, 201],
    );
    assert.deepEqual(load.faults(), []);
  });
});

describe('an engine that aborts in exit() and hangs in its uninitialisation', () => {
  it('is left within the drain limit, clean and without an abort, and that is told', async () => {
    const drainMs = 10_000;
    const { gateway, worker, pool } = await start(
      [
        { on: 'init', abortAtExit: true },
        { on: 'uninit', hang: true },
      ],
      ['--drain-ms', String(drainMs)],
    );
    const load = startLoad(gateway, 4);
    await until(() => load.done() > 20);
    const since = performance.now();
    gateway.signal('SIGTERM');
    assert.deepEqual(await gateway.ended, { code: 0, signal: null });
    assert.ok(performance.now() - since < drainMs);
    await load.ended;
    assert.deepEqual([load.statuses(), load.faults()], [[200, 201], []]);
    assert.equal(gateway.stderr(), '');
    assert.match(gateway.stdout(), /the engine could not be uninitialised in time/);
    assert.doesNotMatch(gateway.stdout(), /SIGABRT/);
    assert.equal(isAlive(worker), false);
    assert.equal(poolExists(pool), false);
  });

  it('is left at once with a second signal', async () => {
    const { gateway, worker, injection } = await start([{ on: 'uninit', hang: true }]);
    gateway.signal('SIGTERM');
    await until(() => injection.counters('uninit').started === 1);
    const since = performance.now();
    gateway.signal('SIGINT');
    assert.deepEqual(await gateway.ended, { code: 1, signal: null });
    assert.ok(performance.now() - since < 2000);
    assert.match(gateway.stderr(), /a second signal, SIGINT.*uninitialising/);
    assert.equal(isAlive(worker), false);
  });
});
