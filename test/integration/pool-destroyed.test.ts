/** Another program destroys the header of the embedded engine's pool in /dev/shm. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, statSync, truncateSync, writeSync } from 'node:fs';
import { afterEach, describe, it } from 'node:test';
import {
  childrenOf,
  isAlive,
  poolExists,
  poolOf,
  type ReadyGateway,
  startGateway,
} from '../helpers/gateway.ts';
import { connectionsTo } from '../helpers/stopped-worker.ts';
import { until } from '../helpers/until.ts';

let running: ReadyGateway | undefined;
afterEach(() => running?.kill());

function overwrite(file: string): void {
  const descriptor = openSync(file, 'r+');
  writeSync(descriptor, Buffer.alloc(4096), 0, 4096, 0);
  closeSync(descriptor);
}

/** All of the header but its magic, and what follows it: no value in it makes sense. */
function overwriteBehindTheMagic(file: string): void {
  const descriptor = openSync(file, 'r+');
  for (let at = 4096; at < 64 * 2 ** 20; at += 2 ** 20) {
    writeSync(descriptor, randomBytes(2 ** 20), 0, 2 ** 20, at);
  }
  closeSync(descriptor);
}

const cutOff = (file: string): void => truncateSync(file, 4096);
const cutOffAPage = (file: string): void => truncateSync(file, statSync(file).size - 4096);

const rebuilt = /pool \/\S+ has no valid header, .*: the pool is made anew and is empty/;

async function destroyPool(destroy: (file: string) => void, devices: string) {
  const gateway = await startGateway({ args: ['--devices', devices, '--ready-when', 'all'] });
  running = gateway;
  const workers = childrenOf(gateway.pid);
  const pool = poolOf(workers[0]);
  const url = (key: string) => `${gateway.url}/v1/objects/${key}`;
  assert.equal((await fetch(url('old'), { method: 'PUT', body: 'lost' })).status, 201);
  destroy(`/dev/shm/${pool}`);
  await until(() => !workers.some(isAlive), { deadlineMs: 20_000 });
  // A connection that is kept alive may be one of a worker that has ended.
  const isReady = () =>
    fetch(`${gateway.url}/readyz`)
      .then(({ ok }) => ok)
      .catch(() => false);
  await until(isReady, { deadlineMs: 30_000 });
  assert.equal((await fetch(url('old'))).status, 404);
  assert.equal((await fetch(url('new'), { method: 'PUT', body: 'kept' })).status, 201);
  const told = () =>
    gateway
      .stdout()
      .split('\n')
      .filter((line) => rebuilt.test(line));
  // The line comes through the worker's stderr, which may be later than its readiness.
  await until(() => told().length > 0);
  return { gateway, pool, url, told };
}

async function isMadeAnew(destroy: (file: string) => void): Promise<void> {
  const { gateway, pool, told } = await destroyPool(destroy, '0-1');
  for (const device of [0, 1]) {
    const [connection] = await connectionsTo(gateway.url, device, 1);
    assert.equal((await connection?.ask('GET', '/v1/objects/new'))?.body, 'kept');
    connection?.close();
  }
  assert.equal(told().length, 1, gateway.stdout());
  assert.ok(told()[0]?.includes(pool));
  const reasons = gateway.logged().filter(({ msg }) => /header of the pool/.test(String(msg)));
  assert.equal(reasons.length, 2, 'each worker says why it ended');
  assert.deepEqual(await gateway.stop(), { code: 0, signal: null });
  assert.ok(!poolExists(pool));
}

describe('a pool whose file is overwritten', () => {
  it('is noticed by its workers, and made anew with one line', () => isMadeAnew(overwrite));

  it('behind the magic is noticed and made anew in the same way', () =>
    isMadeAnew(overwriteBehindTheMagic));
});

describe('a pool whose file is cut off', () => {
  it('in its last page is noticed by its workers, and made anew with one line', () =>
    isMadeAnew(cutOffAPage));

  it('in its header is made anew, with one line', async () => {
    const { gateway, told } = await destroyPool(cutOff, '0');
    assert.equal(told().length, 1, gateway.stdout());
    assert.deepEqual(await gateway.stop(), { code: 0, signal: null });
  });
});
