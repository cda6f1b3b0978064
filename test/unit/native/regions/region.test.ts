import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { openSync, readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { copyBlocks } from '../../../../src/native/regions/copy-blocks.ts';
import { SharedRegion } from '../../../../src/native/regions/region.ts';
import { RegionError, RegionLibrary } from '../../../../src/native/regions/region-library.ts';
import { type SharedMemory, sharedMemory } from '../../../helpers/engine/client-memory.ts';
import { openTestEngine, type TestClient } from '../../../helpers/engine/native.ts';

const PAGE = 4096;
const once = { replicas: 1, prefer: [] };

const mappings = (): number => readFileSync('/proc/self/maps', 'latin1').split('\n').length;

describe('a shared region', () => {
  let library: RegionLibrary;
  let client: TestClient;
  before(async () => {
    client = await openTestEngine({ arenaBytes: 1 << 20 });
    library = await RegionLibrary.open();
  });
  after(async () => {
    assert.equal(library.count, 0, 'a region was not unmapped');
    await client.close(1000);
  });

  const regionOf = (memory: SharedMemory, bytes: number, offset = 0): SharedRegion =>
    new SharedRegion(library, { descriptor: openSync(memory.path, 'r+'), offset, bytes });

  it('moves objects between the memory of the client and the engine, from any offset on', async () => {
    const memory = sharedMemory(10 * PAGE);
    const value = randomBytes(5000);
    memory.write(100 + 50, value);
    const region = regionOf(memory, 9 * PAGE, 100);
    const transfer = region.begin();
    const from = transfer.block(50, value.length);
    const to = transfer.block(20_000, value.length);
    assert.deepEqual([...(await client.batchPut(['a'], [from], once))], [0]);
    assert.deepEqual([...(await client.batchGet(['a'], [to]))], [0]);
    assert.deepEqual(memory.read(20_100, value.length), value);
    for (const block of [from, to]) block.release();
    transfer.end();
    await region.idle();
    region.unmap();
    memory.close();
  });

  it('gives no bytes outside itself', () => {
    const memory = sharedMemory(PAGE);
    const region = regionOf(memory, 1000);
    const transfer = region.begin();
    const wrong = [
      ...[
        [-1, 1],
        [0, 0],
        [0, 1001],
        [1000, 1],
        [999, 2],
        [0.5, 1],
        [0, Number.NaN],
      ],
      ...[
        [2 ** 53, 1],
        [1, 2 ** 53],
        [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
      ],
    ];
    for (const [offset, length] of wrong as [number, number][]) {
      assert.throws(() => transfer.block(offset, length), RangeError, `${offset}+${length}`);
    }
    transfer.block(0, 1000).release();
    transfer.block(999, 1).release();
    transfer.end();
    region.unmap();
    memory.close();
  });

  it('stays mapped while a block of it is in use, and begins no transfer after that', async () => {
    const memory = sharedMemory(PAGE);
    const region = regionOf(memory, PAGE);
    const transfer = region.begin();
    const block = transfer.block(0, 8);
    const part = block.slice(2, 4);
    transfer.end();
    block.release();
    assert.equal(region.inFlight, 1);
    let isIdle = false;
    const idle = region.idle().then(() => {
      isIdle = true;
    });
    assert.throws(() => region.begin(), /closed/);
    assert.throws(() => region.unmap(), /in use/);
    await new Promise(setImmediate);
    assert.equal(isIdle, false);
    part.release();
    await idle;
    assert.equal(region.inFlight, 0);
    region.unmap();
    region.unmap();
    assert.throws(() => region.place(0, 1), /closed/);
    memory.close();
  });

  it('is broken once the client has made it shorter, whether a thread has noticed or not', async () => {
    const memory = sharedMemory(4 * PAGE);
    const region = regionOf(memory, 4 * PAGE);
    assert.equal(region.isBroken(), false);
    memory.truncate(4 * PAGE - 1);
    assert.equal(region.isBroken(), true);
    memory.truncate(4 * PAGE);
    assert.equal(region.isBroken(), true, 'a region does not recover');
    region.unmap();
    assert.equal(region.isBroken(), true);
    memory.close();
  });

  it('is broken after an engine call met a missing page, even when the client has put it back', async () => {
    const memory = sharedMemory(4 * PAGE);
    const region = regionOf(memory, 4 * PAGE);
    const transfer = region.begin();
    const block = transfer.block(0, 4 * PAGE);
    memory.truncate(PAGE);
    assert.deepEqual([...(await client.batchPut(['torn'], [block], once))], [0]);
    memory.truncate(4 * PAGE);
    assert.equal(region.isBroken(), true);
    block.release();
    transfer.end();
    region.unmap();
    memory.close();
    await client.remove('torn');
  });

  it('survives a missing page on the JavaScript thread', () => {
    const memory = sharedMemory(PAGE);
    const region = regionOf(memory, PAGE);
    const transfer = region.begin();
    const block = transfer.block(0, PAGE);
    memory.truncate(0);
    assert.equal(block.view[100], 0);
    block.view[100] = 7;
    assert.equal(block.view[100], 7);
    block.release();
    transfer.end();
    region.unmap();
    memory.close();
  });

  it('is gathered into a block of the arena and scattered from it', async () => {
    const memory = sharedMemory(4 * PAGE);
    const region = regionOf(memory, 4 * PAGE);
    const transfer = region.begin();
    memory.write(0, Buffer.from('one'));
    memory.write(9000, Buffer.from('two'));
    const room = client.arena.tryAllocate(6);
    assert.ok(room !== undefined);
    const blocks = [transfer.block(0, 3), transfer.block(9000, 3), transfer.block(500, 6)];
    const [one, two, whole] = blocks as [typeof room, typeof room, typeof room];
    const halves = [room.slice(0, 3), room.slice(3, 3)] as [typeof room, typeof room];
    const copying = copyBlocks(library, [
      { from: one, to: halves[0] },
      { from: two, to: halves[1] },
      { from: room, to: whole },
    ]);
    for (const block of [...blocks, ...halves, room]) block.release();
    transfer.end();
    assert.equal(region.inFlight, 1, 'the copy holds the region');
    await copying;
    assert.equal(region.inFlight, 0);
    assert.equal(client.arena.stats().blocks, 0);
    assert.equal(memory.read(500, 6).toString(), 'onetwo');
    region.unmap();
    memory.close();
  });

  it('leaves no mapping and no descriptor behind, however often memory is mapped', () => {
    const memory = sharedMemory(PAGE);
    const region = () => {
      const mapped = regionOf(memory, PAGE);
      const transfer = mapped.begin();
      transfer.block(0, 1).release();
      transfer.end();
      mapped.unmap();
    };
    region();
    const before = mappings();
    for (let n = 0; n < 10_000; n++) region();
    assert.ok(mappings() <= before + 16, `${before} mappings became ${mappings()}`);
    assert.equal(library.count, 0);
    memory.close();
  });

  it('is refused by the kernel with a reason', () => {
    const refusal = { name: 'RegionError', message: 'cannot map 4096 bytes: EBADF' };
    assert.throws(() => library.map(-1, 0, PAGE), refusal);
    const memory = sharedMemory(PAGE);
    const readOnly = openSync(memory.path, 'r');
    assert.throws(() => library.map(readOnly, 0, PAGE), RegionError);
    memory.close();
  });
});
