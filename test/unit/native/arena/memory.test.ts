import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MemoryArena } from '../../../../src/native/arena/arena.ts';
import { discardMemory, MAX_VIEW_BYTES, mapMemory } from '../../../../src/native/arena/memory.ts';
import { Canaries } from '../../../../src/native/calls/canaries.ts';
import { addressOf } from '../../../../src/os/libc.ts';

const GIB = 2 ** 30;

describe('mapMemory', () => {
  it('maps zeroed memory at an address that its views share', () => {
    const [region, ...more] = mapMemory(10_000, { hugePages: false });
    assert.ok(region !== undefined);
    assert.equal(more.length, 0);
    assert.equal(region.bytes.length, 10_000);
    assert.equal(addressOf(region.bytes), region.address);
    assert.equal(addressOf(region.bytes.subarray(64)), region.address + 64);
    assert.equal(region.address % (2 * 1024 * 1024), 0);
    assert.ok(region.bytes.every((byte) => byte === 0));
  });

  it('releases pages on request; the bytes are zeros again', () => {
    const regions = mapMemory(8192, { hugePages: false });
    regions[0]?.bytes.fill(1);
    discardMemory(regions);
    assert.ok(regions[0]?.bytes.every((byte) => byte === 0));
  });

  it('splits more than 4 GiB into views that follow each other, and uses no physical memory', () => {
    const before = process.memoryUsage.rss();
    const regions = mapMemory(9 * GIB, { hugePages: false });
    assert.deepEqual(
      regions.map(({ bytes }) => bytes.length),
      [4 * GIB, 4 * GIB, GIB],
    );
    const [first, second] = regions;
    assert.equal(Number(second?.address) - Number(first?.address), MAX_VIEW_BYTES);
    const arena = new MemoryArena(regions, { debug: false });
    assert.equal(arena.maxBlockBytes, 4 * GIB);
    assert.equal(arena.totalBytes, 9 * GIB);
    const largest = arena.tryAllocate(4 * GIB);
    assert.ok(largest !== undefined);
    largest.view[0] = 1;
    largest.view[4 * GIB - 1] = 2;
    assert.equal(largest.view.length, 4 * GIB);
    assert.equal(
      regions.some(({ bytes }) => bytes[bytes.length - 1] === 2),
      true,
    );
    assert.equal(arena.tryAllocate(4 * GIB + 1), undefined);
    const canaries = new Canaries();
    const end = 4 * GIB - 1000;
    for (const { bytes } of regions.slice(0, 2)) {
      canaries.renew();
      canaries.plant(bytes, end, 1000, 0);
      assert.equal(canaries.leftInPlace(bytes, end, 1000, 0), true);
      bytes.fill(3, end, end + 1000);
      assert.equal(canaries.leftInPlace(bytes, end, 1000, 0), false);
    }
    assert.ok(process.memoryUsage.rss() - before < 64 * 1024 * 1024);
  });
});
