import assert from 'node:assert/strict';
import process from 'node:process';
import { after, describe, it } from 'node:test';
import type { PoolLog } from '../../../../src/log/waiting-log.ts';
import type { ToWorker } from '../../../../src/messages/protocol.ts';
import type {
  RegionClient,
  RegionReply,
  WorkerRegionState,
} from '../../../../src/messages/regions.ts';
import { RegionTable } from '../../../../src/supervisor/regions/region-table.ts';
import { sharedMemory } from '../../../helpers/engine/client-memory.ts';
import { until } from '../../../helpers/process/until.ts';

const uid = process.getuid?.() ?? 0;
const by: RegionClient = { uid, token: null, isAdmin: false };
const memory = sharedMemory(4096);
after(() => memory.close());

const log = { info() {}, warn() {}, error() {} } as unknown as PoolLog;
const limits = {
  sharedBufferNames: ['/memcache-*'],
  sharedBufferBytes: 8192,
  sharedBufferOwners: [],
  poolName: undefined,
};

/** A table whose workers do what `react` says; all of `serving` are ready. */
function tableWith(serving: readonly number[]) {
  const table = new RegionTable({
    config: limits,
    log,
    isServing: (device) => serving.includes(device),
    mapMs: 100,
    unmapMs: 100,
    watchMs: 5,
  });
  const sent: string[] = [];
  const report = (device: number, generation: number, state: WorkerRegionState, detail = '') =>
    table.receive(device, { type: 'region', generation, state, detail });
  /** Starts a worker; without a state it never responds. */
  const start = (device: number, state?: WorkerRegionState, detail = '') =>
    table.started(device, (message: ToWorker) => {
      sent.push(`${device} ${message.type}`);
      if (message.type === 'countRegions') {
        table.receive(device, { type: 'regionCounts', id: message.id, counts: {} });
      }
      if (state === undefined) return;
      if (message.type === 'mapRegion') report(device, message.spec.generation, state, detail);
      if (message.type === 'unmapRegion') report(device, message.generation, 'unmapped');
    });
  const register = (name: string, more: object = {}): Promise<RegionReply> => {
    const owner = { uid, token: null, pid: null, startTicks: null };
    const given = { name, shmKey: memory.key, offset: 0, byteSize: 4096, ttlMs: null, owner };
    return table.ask({ ask: 'register', registration: { ...given, ...more }, by });
  };
  return { table, sent, start, register, report };
}

const stateOf = (reply: RegionReply) =>
  'problem' in reply ? reply.problem : reply.regions.map(({ state }) => state).join();

describe('the table of regions', () => {
  it('waits for ready workers and for no other, and gives its regions to workers that start later', async () => {
    const { table, sent, start, register } = tableWith([0]);
    start(0, 'mapped');
    start(1);
    assert.equal(stateOf(await register('a')), 'ready');
    start(2, 'mapped');
    assert.equal(sent.filter((line) => line === '2 mapRegion').length, 1);
    await table.ask({ ask: 'removeAll', by });
  });

  it('gives up a registration that a ready worker does not confirm in time', async () => {
    const { table, sent, start, register } = tableWith([0, 1]);
    start(0, 'mapped');
    start(1);
    assert.equal(stateOf(await register('a')), 'buffer-unavailable');
    assert.ok(sent.includes('0 unmapRegion') && sent.includes('1 unmapRegion'));
    assert.equal(stateOf(await table.ask({ ask: 'find', name: 'a', by })), 'buffer-not-found');
  });

  it('reports why a worker cannot map the memory, and keeps nothing', async () => {
    const { table, start, register } = tableWith([0, 1]);
    start(0, 'mapped');
    start(1, 'failed', 'no address space');
    const reply = await register('a');
    assert.deepEqual(reply, { problem: 'buffer-refused', detail: 'no address space' });
    assert.deepEqual(await table.ask({ ask: 'list', by }), { regions: [] });
    // The bytes of the region are free again.
    const { start: again, register: retry, table: other } = tableWith([0]);
    again(0, 'mapped');
    assert.equal(stateOf(await retry('a', { byteSize: 4096 })), 'ready');
    await other.ask({ ask: 'removeAll', by });
  });

  it('keeps a region whose worker has died, and lists a worker that cannot map it', async () => {
    const { table, start, register } = tableWith([0, 1]);
    start(0, 'mapped');
    start(1, 'mapped');
    await register('a');
    table.ended(1);
    start(1, 'failed', 'gone');
    const reply = await table.ask({ ask: 'find', name: 'a', by });
    assert.ok('regions' in reply);
    assert.deepEqual(reply.regions[0]?.workers, [
      { device: 0, state: 'mapped' },
      { device: 1, state: 'failed', detail: 'gone' },
    ]);
    assert.equal(stateOf(await table.ask({ ask: 'remove', name: 'a', by })), '');
  });

  it('lets all workers give up a broken region, and lists it until it is removed', async () => {
    const { table, sent, start, register, report } = tableWith([0, 1]);
    start(0, 'mapped');
    start(1, 'mapped');
    await register('a');
    report(1, 1, 'broken');
    assert.ok(sent.includes('0 unmapRegion') && sent.includes('1 unmapRegion'));
    assert.equal(stateOf(await table.ask({ ask: 'find', name: 'a', by })), 'broken');
    assert.equal(stateOf(await register('b', { byteSize: 4096 })), 'ready');
    assert.equal(stateOf(await register('a')), 'ready', 'it can be registered again');
    await table.ask({ ask: 'removeAll', by });
    assert.deepEqual(await table.ask({ ask: 'list', by }), { regions: [] });
  });

  it('removes the region of a process that has ended, or whose number another process has', async () => {
    const { table, start, register } = tableWith([0]);
    start(0, 'mapped');
    for (const [pid, startTicks] of [
      [process.pid, '1'],
      [2 ** 22 + 1, '1'],
    ] as const) {
      await register('a', { owner: { uid, token: null, pid, startTicks } });
      await until(
        async () => stateOf(await table.ask({ ask: 'find', name: 'a', by })) === 'buffer-not-found',
      );
    }
  });

  it('counts at most 256 buffers', async () => {
    const { table, start } = tableWith([0]);
    start(0, 'mapped');
    const owner = { uid, token: null, pid: null, startTicks: null };
    const one = (n: number) =>
      table.ask({
        ask: 'register',
        registration: {
          name: `n${n}`,
          shmKey: memory.key,
          offset: 0,
          byteSize: 1,
          ttlMs: null,
          owner,
        },
        by,
      });
    for (let n = 0; n < 256; n++) assert.ok('regions' in (await one(n)));
    assert.equal(stateOf(await one(256)), 'buffers-full');
    await table.ask({ ask: 'remove', name: 'n7', by });
    assert.ok('regions' in (await one(256)));
    await table.ask({ ask: 'removeAll', by });
  });
});
