import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Block } from '../../../src/native/abi/types.ts';
import { createStaleBlocks } from '../../../src/store/stale-blocks.ts';
import { countingArena } from '../../helpers/engine/scripted-engine.ts';

const large = 64 * 1024;

function scene() {
  let nowMs = 0;
  const arena = countingArena();
  const stale = createStaleBlocks(100, () => nowMs);
  const read = (size = large): Promise<Block> =>
    stale.read('a', async () => arena.tryAllocate(size) as Block);
  return {
    arena,
    stale,
    read,
    at(ms: number) {
      nowMs = ms;
    },
  };
}

describe('a block that is still being sent', () => {
  it('is returned up to its maximum age, and not a millisecond later', async () => {
    const { arena, stale, read, at } = scene();
    const block = await read();
    at(100);
    assert.equal(stale.mayHave('a'), true);
    const taken = stale.take('a', large);
    assert.ok(taken);
    assert.equal(taken.length, large);
    assert.equal(taken.view.length, large);
    at(101);
    assert.equal(stale.mayHave('a'), false);
    assert.equal(stale.take('a', large), undefined);
    assert.equal(stale.taken, 1);
    block.release();
    assert.equal(arena.used, 1);
    taken.release();
    assert.equal(arena.used, 0);
    assert.throws(() => taken.release(), /twice/);
    assert.throws(() => taken.retain(), /freed/);
  });

  it('has the age of its read, however long that took', async () => {
    const { arena, stale, at } = scene();
    const block = await stale.read('a', async () => {
      at(101);
      return arena.tryAllocate(large) as Block;
    });
    assert.equal(stale.take('a', large), undefined);
    block.release();
  });

  it('is not returned if the object has another size, or if it is small', async () => {
    const { stale, read } = scene();
    const block = await read();
    assert.equal(stale.take('a', large + 1), undefined);
    assert.equal(stale.take('b', large), undefined);
    block.release();
    const small = await read(large - 1);
    assert.equal(stale.mayHave('a'), false);
    small.release();
  });

  it('is not returned after its release', async () => {
    const { stale, read } = scene();
    (await read()).release();
    assert.equal(stale.take('a', large), undefined);
  });

  it('is not returned after a change, also one during its read', async () => {
    const { arena, stale, read } = scene();
    const before = await read();
    stale.forget('a');
    assert.equal(stale.take('a', large), undefined);
    const during = await stale.read('a', async () => {
      stale.forget('a');
      return arena.tryAllocate(large) as Block;
    });
    assert.equal(stale.take('a', large), undefined);
    const after = await read();
    before.release();
    during.release();
    assert.ok(stale.mayHave('a'));
    after.release();
    assert.equal(arena.used, 0);
  });

  it('is not replaced by the block of an older read', async () => {
    const { arena, stale, read } = scene();
    const begun: ((block: Block) => void)[] = [];
    const older = stale.read('a', () => new Promise((resolve) => begun.push(resolve)));
    const newer = await read();
    const block = arena.tryAllocate(large) as Block;
    begun[0]?.(block);
    assert.equal(await older, block);
    const taken = stale.take('a', large);
    assert.equal(taken, newer);
    for (const each of [block, newer, newer]) each.release();
    assert.equal(arena.used, 0);
  });

  it('is not stored for a failed read', async () => {
    const { stale } = scene();
    await assert.rejects(
      stale.read('a', () => Promise.reject(new Error('no'))),
      /no/,
    );
    assert.equal(stale.mayHave('a'), false);
  });
});
