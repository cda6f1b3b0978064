import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Tlsf } from '../../../../src/native/arena/tlsf.ts';

/** xorshift32: the same numbers in every run. */
function randomFrom(seed: number): () => number {
  let x = seed;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) / 2 ** 32;
  };
}

describe('Tlsf', () => {
  it('allocates every granule exactly once, and then none', () => {
    const space = new Tlsf(1000);
    const starts = Array.from({ length: 1000 }, () => space.startOf(space.allocate(1)));
    assert.equal(new Set(starts).size, 1000);
    assert.deepEqual([Math.min(...starts), Math.max(...starts)], [0, 999]);
    assert.equal(space.allocate(1), -1);
    assert.equal(space.free, 0);
  });

  for (const granules of [1, 2, 31, 32, 33, 63, 64, 65, 1023, 1024, 1025, 2 ** 26, 2 ** 30]) {
    it(`allocates all ${granules} granules as one block, and not one more`, () => {
      const space = new Tlsf(granules);
      assert.equal(space.allocate(granules + 1), -1);
      const record = space.allocate(granules);
      assert.equal(space.startOf(record), 0);
      assert.equal(space.sizeOf(record), granules);
      assert.equal(space.allocate(1), -1);
      assert.equal(space.release(record), granules);
      assert.equal(space.free, granules);
    });
  }

  it('finds a block of any size that fits exactly between blocks in use', () => {
    for (let size = 1; size <= 3000; size += size < 70 ? 1 : 97) {
      const space = new Tlsf(size + 2);
      const before = space.allocate(1);
      const hole = space.allocate(size);
      space.allocate(1);
      space.release(hole);
      assert.equal(space.startOf(space.allocate(size)), 1, `size ${size}`);
      space.release(before);
    }
  });

  it('skips blocks of the same class that are too small', () => {
    const space = new Tlsf(10_000);
    // 1024 to 1055 granules have the same class.
    const records = [1024, 1055, 1030].map((size) => [space.allocate(size), space.allocate(1)]);
    space.allocate(space.free);
    for (const [record] of records) space.release(record as number);
    assert.equal(space.sizeOf(space.allocate(1050)), 1050);
    assert.equal(space.allocate(1050), -1);
    assert.equal(space.sizeOf(space.allocate(1030)), 1030);
  });

  it('merges a released block with both neighbours at once, in any order', () => {
    for (const order of [
      [0, 1, 2],
      [0, 2, 1],
      [1, 0, 2],
      [1, 2, 0],
      [2, 0, 1],
      [2, 1, 0],
    ]) {
      const space = new Tlsf(30);
      const records = [space.allocate(10), space.allocate(10), space.allocate(10)];
      const runs = order.map((index) => space.release(records[index] as number));
      assert.equal(runs.at(-1), 30, `order ${order.join()}`);
    }
  });

  it('throws when a free block is released again', () => {
    const space = new Tlsf(8);
    const record = space.allocate(4);
    space.allocate(4);
    space.release(record);
    assert.throws(() => space.release(record), /released again/);
  });

  it('keeps blocks apart and its counts correct over a million calls in any order', () => {
    const granules = 1 << 20;
    const space = new Tlsf(granules);
    const random = randomFrom(20_261_123);
    const owner = new Int32Array(granules);
    const held: { record: number; size: number }[] = [];
    let used = 0;
    for (let step = 1; step <= 1_000_000; step++) {
      if (random() < 0.5 || held.length === 0) {
        const size = 1 + Math.floor(2 ** (random() * 12));
        const record = space.allocate(size);
        if (record < 0) continue;
        const start = space.startOf(record);
        // First and last granule of a block show an overlap with any block of at least this size.
        for (const at of [start, start + size - 1]) assert.equal(owner[at], 0);
        owner[start] = step;
        owner[start + size - 1] = step;
        held.push({ record, size });
        used += size;
      } else {
        const index = Math.floor(random() * held.length);
        const { record, size } = held[index] as { record: number; size: number };
        held[index] = held.at(-1) as { record: number; size: number };
        held.pop();
        const start = space.startOf(record);
        owner[start] = 0;
        owner[start + size - 1] = 0;
        space.release(record);
        used -= size;
      }
      if (step % 1000 === 0) assert.equal(space.free, granules - used);
    }
    assert.ok(held.length > 100, 'the test fills the space');
    for (const { record } of held) space.release(record);
    assert.equal(space.free, granules);
    const most = space.allocate(Math.floor(granules * 0.9));
    assert.ok(most >= 0, 'one block of 90 % after everything was freed');
    space.release(most);
    assert.ok(space.allocate(granules) >= 0, 'and one of all');
  });

  for (const granules of [0, -1, 1.5, Number.NaN, 2 ** 30 + 1]) {
    it(`refuses a space of ${granules} granules`, () => {
      assert.throws(() => new Tlsf(granules), RangeError);
    });
  }
});
