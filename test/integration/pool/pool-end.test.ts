/** The shutdown of a gateway under load, and with an engine that delays it. */
import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import http from 'node:http';
import net from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { setTimeout as elapse } from 'node:timers/promises';
import {
  createInjection,
  type Injection,
  injectingLibrary,
  type Rule,
} from '../../helpers/engine/injecting.ts';
import { requestHead } from '../../helpers/http/raw-connection.ts';
import {
  isAlive,
  poolExists,
  poolOf,
  type ReadyGateway,
  startGateway,
} from '../../helpers/process/gateway.ts';
import { until } from '../../helpers/process/until.ts';

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

/**
 * Clients that put and get objects, with or without keep-alive, until the gateway refuses connections.
 * They pause before each object where a test waits long, which otherwise takes all of the processor time.
 */
function startLoad(gateway: ReadyGateway, clients: number, { keepAlive = true, pauseMs = 0 } = {}) {
  const statuses = new Map<number, number>();
  const lost: string[] = [];
  // Use the connections in turn, so that none is idle for longer than a shutdown waits.
  const agent = new http.Agent({ keepAlive, maxSockets: clients, scheduling: 'fifo' });
  const value = randomBytes(20_000);
  let wrongBytes = 0;
  /** Returns undefined for a refused connection. A connection lost after it was accepted counts as a fault. */
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
      if (pauseMs > 0) await elapse(pauseMs);
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

/** Sends one request on its own connection, and returns its status or the error of the connection. */
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

const CLIENTS = 16;

describe('a gateway under load', () => {
  it('that loses its supervisor finishes requests in flight, uninitialises and leaves no pool', async () => {
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

  it('that gets SIGTERM is unready first, keeps serving for --drain-delay-ms, and ends cleanly', async () => {
    const { injection, gateway, worker, pool } = await start([], ['--drain-delay-ms', '2000']);
    const load = startLoad(gateway, CLIENTS, { pauseMs: 20 });
    await until(() => load.done() > 200);
    gateway.signal('SIGTERM');
    const readiness = () => fetch(`${gateway.url}/readyz`);
    await until(async () => (await readiness()).status === 503);
    const before = load.done();
    assert.match(await (await readiness()).text(), /"The gateway is stopping\."/);
    assert.deepEqual(await gateway.ended, { code: 0, signal: null });
    await load.ended;
    // On a busy machine a client sends a few requests in this time.
    assert.ok(load.done() >= before + 2 * CLIENTS, `${load.done() - before} requests`);
    assert.deepEqual([load.statuses(), load.faults()], [[200, 201], []]);
    assert.equal(gateway.stderr(), '');
    assert.equal(isAlive(worker), false);
    assert.equal(injection.counters('uninit').returned, 1);
    assert.equal(poolExists(pool), false);
  });

  it('that gets SIGTERM serves connections that only the kernel has accepted', async () => {
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

  it('loses no request when a worker is ended by SIGTERM, nor when it gets SIGTERM itself', async () => {
    const { gateway, worker } = await start([], ['--devices', '0-1', '--ready-when', 'all']);
    const first = startLoad(gateway, 16, { pauseMs: 20 });
    await until(() => first.done() > 200);
    process.kill(worker, 'SIGTERM');
    await until(() => gateway.logged().some(({ msg }) => msg === 'worker is ready again'));
    const loads = [true, false].map((keepAlive) => startLoad(gateway, 32, { keepAlive }));
    const before = first.done();
    await until(() => first.done() > before + 100 && loads.every((load) => load.done() > 100));
    gateway.signal('SIGTERM');
    assert.deepEqual(await gateway.ended, { code: 0, signal: null });
    for (const load of [first, ...loads]) await load.ended;
    for (const load of loads) assert.deepEqual([load.statuses(), load.faults()], [[200, 201], []]);
    // Objects in the memory of the ended worker are lost, so 404 is allowed.
    const statuses = first.statuses().filter((status) => status !== 404);
    assert.deepEqual([statuses, first.faults()], [[200, 201], []]);
    assert.equal(gateway.stderr(), '');
    assert.equal(isAlive(worker), false);
  });
});

describe('an engine that aborts in exit() and hangs in its uninitialisation', () => {
  it('does not delay the exit beyond the drain limit, causes no abort, and is logged', async () => {
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
    assert.match(gateway.stdout(), /the engine was not uninitialised in time/);
    assert.doesNotMatch(gateway.stdout(), /SIGABRT/);
    assert.equal(isAlive(worker), false);
    assert.equal(poolExists(pool), false);
  });

  it('does not delay the exit after a second signal', async () => {
    const { gateway, worker, injection } = await start([{ on: 'uninit', hang: true }]);
    gateway.signal('SIGTERM');
    await until(() => injection.counters('uninit').started === 1);
    const since = performance.now();
    gateway.signal('SIGINT');
    assert.deepEqual(await gateway.ended, { code: 1, signal: null });
    // Without the second signal, the exit would wait for the drain limit.
    assert.ok(performance.now() - since < 15_000);
    assert.match(gateway.stderr(), /a second signal, SIGINT.*uninitialising/);
    assert.equal(isAlive(worker), false);
  });
});
