/** Another program destroys the header of the embedded engine's pool in /dev/shm. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, statSync, truncateSync, writeSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import {
  childrenOf,
  isAlive,
  poolExists,
  poolOf,
  type ReadyGateway,
  startGateway,
} from '../../helpers/process/gateway.ts';
import { connectionsTo } from '../../helpers/process/stopped-worker.ts';
import { until } from '../../helpers/process/until.ts';

function overwrite(file: string): void {
  const descriptor = openSync(file, 'r+');
  writeSync(descriptor, Buffer.alloc(4096), 0, 4096, 0);
  closeSync(descriptor);
}

/** Overwrites the header except its magic, and the bytes behind it, so that no value is valid. */
function overwriteBehindTheMagic(file: string): void {
  const descriptor = openSync(file, 'r+');
  for (let at = 4096; at < 64 * 2 ** 20; at += 2 ** 20) {
    writeSync(descriptor, randomBytes(2 ** 20), 0, 2 ** 20, at);
  }
  closeSync(descriptor);
}

const cutOff = (file: string): void => truncateSync(file, 4096);
const cutOffAPage = (file: string): void => truncateSync(file, statSync(file).size - 4096);

const rebuilt = /pool \/\S+ has no valid header, .*: the pool is created anew and is empty/;

/** Destroys the pool, and waits until the workers have created it again. */
async function destroyPool(gateway: ReadyGateway, destroy: (file: string) => void) {
  const workers = childrenOf(gateway.pid);
  const pool = poolOf(workers[0]);
  const url = (key: string) => `${gateway.url}/v1/objects/${key}`;
  // The report of an ended worker repeats the line as part of the worker's stderr; that is not the message.
  const reported = () =>
    gateway
      .logged()
      .map(({ msg }) => String(msg))
      .filter((message) => rebuilt.test(message));
  const before = reported().length;
  assert.equal((await fetch(url('old'), { method: 'PUT', body: 'lost' })).status, 201);
  destroy(`/dev/shm/${pool}`);
  await until(() => !workers.some(isAlive), { deadlineMs: 20_000 });
  // A kept-alive connection may belong to a worker that has ended.
  const isReady = () =>
    fetch(`${gateway.url}/readyz`)
      .then(({ ok }) => ok)
      .catch(() => false);
  await until(isReady, { deadlineMs: 30_000 });
  assert.equal((await fetch(url('old'))).status, 404);
  assert.equal((await fetch(url('new'), { method: 'PUT', body: 'kept' })).status, 201);
  // The line passes through the worker's stderr, so it may be logged after the worker is ready.
  await until(() => reported().length > before);
  return { pool, reported: () => reported().slice(before) };
}

const start = (devices: string): Promise<ReadyGateway> =>
  startGateway({ args: ['--devices', devices, '--ready-when', 'all'] });

describe('a pool of two workers', () => {
  let gateway: ReadyGateway;
  before(async () => {
    gateway = await start('0-1');
  });
  after(() => gateway.kill());

  for (const [what, destroy] of [
    ['whose file is overwritten', overwrite],
    ['whose file is overwritten behind the magic', overwriteBehindTheMagic],
    ['whose file is cut off in its last page', cutOffAPage],
  ] as const) {
    it(`${what} is detected by both, and created again with one line`, async () => {
      const reasons = () =>
        gateway.logged().filter(({ msg }) => /header of the pool/.test(String(msg))).length;
      const reasonsBefore = reasons();
      const { pool, reported } = await destroyPool(gateway, destroy);
      for (const device of [0, 1]) {
        const [connection] = await connectionsTo(gateway.url, device, 1);
        assert.equal((await connection?.ask('GET', '/v1/objects/new'))?.body, 'kept');
        connection?.close();
      }
      assert.equal(reported().length, 1, gateway.stdout());
      assert.ok(reported()[0]?.includes(pool));
      assert.equal(reasons() - reasonsBefore, 2, 'each worker says why it ended');
    });
  }

  it('ends cleanly after it was created again, and leaves no file', async () => {
    const pool = poolOf(childrenOf(gateway.pid)[0]);
    assert.deepEqual(await gateway.stop(), { code: 0, signal: null });
    assert.ok(!poolExists(pool));
  });
});

describe('a pool whose file is cut off in its header', () => {
  it('is created again with one line', async () => {
    const gateway = await start('0');
    try {
      const { reported } = await destroyPool(gateway, cutOff);
      assert.equal(reported().length, 1, gateway.stdout());
      assert.deepEqual(await gateway.stop(), { code: 0, signal: null });
    } finally {
      await gateway.kill();
    }
  });
});
