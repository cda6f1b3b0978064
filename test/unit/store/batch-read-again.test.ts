import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { UNTRUSTED_READ } from '../../../src/native/codes.ts';
import { EngineDeadlineError } from '../../../src/native/errors.ts';
import { readAgain } from '../../../src/store/batch-read-again.ts';
import { type BatchStep, filled, scriptedBatches } from '../../helpers/scripted-batches.ts';
import { countingArena } from '../../helpers/scripted-engine.ts';

/**
 * Reads again objects that had `bytes` bytes each, one for each character of `keys`. For each: its
 * problem, the bytes of its new block, or those that are in its old place.
 */
async function again(
  keys: string,
  bytes: number,
  steps: readonly BatchStep[],
  arena = countingArena(),
) {
  const { engine, made, finished } = scriptedBatches(arena, steps);
  const doubts = [...keys].map((key, index) => ({ index, key, slice: filled(arena, bytes, '?') }));
  try {
    const certain = await readAgain(engine, doubts);
    finished();
    const told = doubts.map(({ index, slice }) => {
      const found = certain.filter((each) => each.index === index);
      assert.ok(found.length <= 1, 'one answer for each');
      const { problem, block } = found[0] ?? {};
      const text = (block ?? slice).view.toString();
      if (block !== undefined) {
        assert.equal(problem, undefined);
        block.release();
        return `moved: ${text}`;
      }
      return problem === undefined ? text : `${problem.slug} ${problem.options.code}`;
    });
    return { told, made };
  } finally {
    for (const { slice } of doubts) slice.release();
    assert.equal(arena.used, 0, 'a block leaked');
  }
}

describe('readAgain', () => {
  it('says that those are gone which are', async () => {
    const { told, made } = await again('ab', 3, [['query', ['missing', 'missing']]]);
    assert.deepEqual(told, ['object-not-found -3102', 'object-not-found -3102']);
    assert.deepEqual(made, ['query a b']);
  });

  it('passes on why the engine cannot say', async () => {
    const { told } = await again('a', 3, [['query', { code: -3014 }]]);
    assert.deepEqual(told, ['engine-unavailable -3014']);
  });

  it('reads those into their place that are as before and can be read, and asks for no others', async () => {
    const { told, made } = await again('abcd', 3, [
      ['query', [3, 3, 'missing', 3]],
      ['exist', [0, -3007, 0]],
      ['get', [0, 0]],
    ]);
    assert.deepEqual(told, ['aaa', 'object-being-written -3007', 'object-not-found -3102', 'ddd']);
    assert.deepEqual(made, ['query a b c d', 'exist a b d', 'get a:3 d:3']);
  });

  it('reads those into a block of their own whose length is another', async () => {
    const { told, made } = await again('abc', 3, [
      ['query', [5, 3, 1]],
      ['exist', [0]],
      ['get', [0, 0, 0]],
    ]);
    assert.deepEqual(told, ['moved: aaaaa', 'bbb', 'moved: c']);
    assert.equal(made.at(-1), 'get b:3 a:5 c:1');
  });

  it('gives up on those that fail twice, and says how they did', async () => {
    const { told } = await again('abcd', 3, [
      ['query', [5, 3, 3, 4]],
      ['exist', [0, 0]],
      ['get', [-1, UNTRUSTED_READ, -1, -3104]],
    ]);
    assert.deepEqual(told, [
      'object-changed -1',
      'read-not-trusted -1',
      'read-not-trusted undefined',
      'lease-active -3104',
    ]);
  });

  it('does not wait for room, read what is empty by now, or what no arena holds', async () => {
    for (const size of [0, 98, 201, 2 ** 40]) {
      const arena = countingArena(100, 200);
      const { told, made } = await again('a', 3, [['query', [size]]], arena);
      assert.deepEqual(told, ['object-changed -1']);
      assert.deepEqual(made, ['query a']);
    }
    const { told } = await again(
      'a',
      3,
      [
        ['query', [97]],
        ['get', [0]],
      ],
      countingArena(100, 200),
    );
    assert.deepEqual(told, [`moved: ${'a'.repeat(97)}`]);
  });

  it('fails with whatever call is not answered, and holds nothing then', async () => {
    const late = new EngineDeadlineError('batch_get', 5);
    const phases: BatchStep[][] = [
      [['query', late]],
      [
        ['query', [3, 5]],
        ['exist', late],
      ],
      [
        ['query', [3, 5]],
        ['exist', [0]],
        ['get', late],
      ],
    ];
    for (const steps of phases) await assert.rejects(again('ab', 3, steps), late);
  });
});
