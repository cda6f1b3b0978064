import assert from 'node:assert/strict';
import fs from 'node:fs';
import type net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { askOnce, countResults, startLoad } from '../../helpers/http/new-connections.ts';
import { type ReadyGateway, startGateway } from '../../helpers/process/gateway.ts';
import { lowestOf } from '../../helpers/process/lowest.ts';
import { stateOf } from '../../helpers/process/native-debugger.ts';
import { until } from '../../helpers/process/until.ts';

const folder = fs.mkdtempSync(path.join(tmpdir(), 'new-connections-'));
const file = path.join(folder, 'gateway.sock');
after(() => fs.rmSync(folder, { recursive: true }));

const CLIENTS = 8;
const gateways: ReadyGateway[] = [];
after(() => Promise.all(gateways.map((gateway) => gateway.kill())));

interface Started {
  readonly gateway: ReadyGateway;
  /** Its TCP port and its Unix socket. */
  readonly places: readonly net.NetConnectOpts[];
}

async function start(port: number, ...args: string[]): Promise<Started> {
  const gateway = await startGateway({
    args: ['--listen', `127.0.0.1:${port}`, '--listen', `unix:${file}`, ...args],
  });
  gateways.push(gateway);
  return { gateway, places: [{ port: gateway.port, host: '127.0.0.1' }, { path: file }] };
}

/** The pid of each worker, by its device. */
async function pids(gateway: ReadyGateway): Promise<ReadonlyMap<number, number>> {
  const response = await fetch(`${gateway.url}/v1/clients`);
  const { clients } = (await response.json()) as {
    clients: { device: number; pid: number; state: string }[];
  };
  const ready = clients.filter(({ state }) => state === 'ready');
  return new Map(ready.map(({ device, pid }) => [device, pid]));
}

describe('a gateway of two workers, whose clients open a connection for each request', () => {
  let started: Started;
  before(async () => {
    started = await start(0, '--devices', '0,1');
  });

  const place = (index: number) => started.places[index % 2] ?? assert.fail();

  async function bothPids(): Promise<[number, number]> {
    await until(async () => (await pids(started.gateway)).size === 2);
    const found = await pids(started.gateway);
    return [found.get(0) ?? assert.fail(), found.get(1) ?? assert.fail()];
  }

  it('gives connections that follow each other to both workers in turn', async () => {
    // A worker that has just become ready is still loading code, and may be skipped.
    const loaded = new Set<number | undefined>();
    await until(async () => loaded.add((await askOnce(place(0))).device).size === 2);
    // A busy machine may stop one of them for half a second.
    const difference = await lowestOf(5, 2, async () => {
      const served: (number | undefined)[] = [];
      for (let i = 0; i < 8; i += 1) served.push((await askOnce(place(i))).device);
      return Math.abs(served.filter((device) => device === 0).length - 4);
    });
    assert.ok(difference < 2, `${difference} of 8`);
  });

  it('spreads 2,000 connections over TCP and a Unix socket evenly, within a tenth', async () => {
    const load = startLoad(started.places, CLIENTS);
    await until(() => load.outcomes.length >= 2000);
    const outcomes = await load.stop();
    assert.deepEqual(countResults(outcomes), { 200: outcomes.length });
    const first = outcomes.filter(({ device }) => device === 0).length;
    assert.ok(Math.abs(first / outcomes.length - 0.5) <= 0.05, `${first} of ${outcomes.length}`);
  });

  it('serves every connection while a worker is stopped, and uses it again afterwards', async () => {
    const [stopped] = await bothPids();
    const load = startLoad(started.places, CLIENTS);
    await until(() => load.outcomes.length >= 50);
    process.kill(stopped, 'SIGSTOP');
    await until(() => stateOf(stopped) === 'T');
    // Connections that it had accepted wait for it, perhaps those of all clients so far.
    const others = startLoad(started.places, CLIENTS);
    await until(() => others.outcomes.length >= 100);
    process.kill(stopped, 'SIGCONT');
    const after = others.outcomes.length;
    await until(() => others.outcomes.slice(after).some(({ device }) => device === 0));
    const outcomes = [...(await load.stop()), ...(await others.stop())];
    assert.deepEqual(countResults(outcomes), { 200: outcomes.length });
  });

  it('refuses and loses no connection when a worker is killed', async () => {
    const [, killed] = await bothPids();
    const load = startLoad(started.places, CLIENTS);
    await until(() => load.outcomes.length >= 50);
    process.kill(killed, 'SIGKILL');
    await until(async () => {
      const found = await pids(started.gateway).catch(() => new Map<number, number>());
      return found.size === 2 && found.get(1) !== killed;
    });
    const after = load.outcomes.length;
    await until(() => load.outcomes.slice(after).some(({ device }) => device === 1));
    const { 200: served = 0, ...others } = countResults(await load.stop());
    assert.ok(served > 0);
    // Connections that the killed worker had accepted.
    const { ECONNRESET: reset = 0, closed = 0, EPIPE: broken = 0, ...unexpected } = others;
    assert.deepEqual(unexpected, {});
    assert.ok(reset + closed + broken <= CLIENTS, JSON.stringify(others));
  });

  it('counts the connections of each worker', async () => {
    const text = await (await fetch(`${started.gateway.url}/metrics`)).text();
    const count = (device: number) =>
      Number(
        new RegExp(
          `^memcache_gateway_worker_connections_total\\{device="${device}"\\} (\\d+)`,
          'm',
        ).exec(text)?.[1] ?? 0,
      );
    assert.ok(count(0) >= 1000, text);
    assert.ok(count(1) >= 1000, text);
  });

  it('responds to each accepted connection at shutdown, and refuses those after it', async () => {
    const load = startLoad(started.places, CLIENTS);
    await until(() => load.outcomes.length >= 50);
    assert.equal((await started.gateway.stop()).code, 0);
    const { 200: served = 0, ...others } = countResults(await load.stop());
    assert.ok(served >= 50);
    // The port is closed, and the file of the socket removed.
    const { ECONNREFUSED: refused = 0, ENOENT: missing = 0, 503: stopping, ...unexpected } = others;
    assert.deepEqual(unexpected, {}, `and ${stopping} with 503`);
    assert.ok(refused + missing > 0);
    assert.equal(fs.existsSync(file), false);
  });
});

describe('a gateway of one worker, whose clients open a connection for each request', () => {
  it('serves the connections in the queue of the kernel when its stopped worker is killed', async () => {
    const { gateway, places } = await start(0);
    const worker = gateway.workerPid() ?? assert.fail();
    process.kill(worker, 'SIGSTOP');
    await until(() => stateOf(worker) === 'T');
    const waiting = Promise.all(
      Array.from({ length: 40 }, (_, index) => askOnce(places[index % 2] ?? assert.fail())),
    );
    process.kill(worker, 'SIGKILL');
    const { 200: served = 0, 503: refused = 0, ...others } = countResults(await waiting);
    assert.deepEqual(others, {});
    assert.equal(served + refused, 40);
    await until(async () => (await askOnce(places[0] ?? assert.fail())).result === 200);
    await gateway.stop();
  });

  it('refuses clients when the supervisor is killed, and a new gateway opens the same places', async () => {
    const first = await start(0);
    const workers = [first.gateway.workerPid() ?? assert.fail()];
    const load = startLoad(first.places, CLIENTS);
    await until(() => load.outcomes.length >= 50);
    first.gateway.signal('SIGKILL');
    const second = await start(first.gateway.port);
    const after = load.outcomes.length;
    await until(() => load.outcomes.slice(after).some(({ result }) => result === 200));
    await load.stop();
    assert.equal(workers.includes(second.gateway.workerPid() ?? 0), false);
    const outcomes = await Promise.all(second.places.map(askOnce));
    assert.deepEqual(countResults(outcomes), { 200: 2 });
    assert.equal((await second.gateway.stop()).code, 0);
  });

  it('opens the places of a killed supervisor, though one of its workers is stopped', async () => {
    const first = await start(0, '--devices', '0,1', '--ready-when', 'all');
    const found = await pids(first.gateway);
    const stopped = found.get(0) ?? assert.fail();
    process.kill(stopped, 'SIGSTOP');
    await until(() => stateOf(stopped) === 'T');
    try {
      first.gateway.signal('SIGKILL');
      const second = await start(first.gateway.port);
      const outcomes = await Promise.all(second.places.map(askOnce));
      assert.deepEqual(countResults(outcomes), { 200: 2 });
      assert.equal((await second.gateway.stop()).code, 0);
    } finally {
      process.kill(stopped, 'SIGKILL');
    }
  });
});
