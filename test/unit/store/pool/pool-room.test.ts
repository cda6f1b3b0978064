import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { lately, roomOf } from '../../../../src/store/pool/pool-room.ts';

const bytes = (medium: 'HBM' | 'DRAM' | 'SSD', totalBytes: number, usedBytes: number) => ({
  ...{ medium, totalBytes, usedBytes },
  freeBytes: totalBytes - usedBytes,
});

describe('the room of a pool', () => {
  it('is that of its memory, without SSD', () => {
    const media = [bytes('HBM', 100, 10), bytes('DRAM', 50, 20), bytes('SSD', 999, 0)];
    assert.deepEqual(roomOf({ media }, 90), {
      ...{ capacityBytes: 150, freeBytes: 120 },
      evicts: false,
    });
    assert.equal(roomOf({ media: [bytes('SSD', 999, 0)] }, 90), undefined);
    assert.equal(roomOf({ media: [] }, 'always'), undefined);
  });

  it('is freed by evictions only above the threshold', () => {
    const evicts = (used: number, rule: number | 'always') =>
      roomOf({ media: [bytes('DRAM', 1000, used)] }, rule)?.evicts;
    assert.equal(evicts(900, 90), false);
    assert.equal(evicts(901, 90), true);
    assert.equal(evicts(700, 70), false);
    assert.equal(evicts(701, 70), true);
    assert.equal(evicts(0, 'always'), true);
  });

  it('is freed by evictions if one medium is above it', () => {
    const media = [bytes('HBM', 1000, 950), bytes('DRAM', 1000, 0)];
    assert.equal(roomOf({ media }, 90)?.evicts, true);
  });
});

describe('figures that no request waits for', () => {
  const setup = (results: (string | Error)[]) => {
    let nowMs = 0;
    let loads = 0;
    const load = async () => {
      const result = results[loads++];
      if (result instanceof Error) throw result;
      return result;
    };
    const figures = lately(3000, load, () => nowMs);
    return { figures, loads: () => loads, at: (ms: number) => (nowMs = ms) };
  };

  it('are unknown at first, and known to a later call', async () => {
    const { figures } = setup(['one', 'two']);
    assert.equal(figures(), undefined);
    await nextTurn();
    assert.equal(figures(), 'one');
  });

  it('count up to their age limit, and no longer', async () => {
    const { figures, at } = setup(['one', 'two']);
    figures();
    await nextTurn();
    at(3001);
    assert.equal(figures(), undefined);
    await nextTurn();
    at(6001);
    assert.equal(figures(), 'two');
  });

  it('are unknown when the source fails, and asked for again', async () => {
    const { figures, loads } = setup([new Error('silent'), 'two']);
    figures();
    await nextTurn();
    assert.equal(figures(), undefined);
    await nextTurn();
    assert.equal(figures(), 'two');
    assert.equal(loads(), 3);
  });
});
