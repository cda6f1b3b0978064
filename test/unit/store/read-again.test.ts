import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { UNTRUSTED_READ } from '../../../src/errors/engine-codes.ts';
import { EngineDeadlineError } from '../../../src/native/abi/errors.ts';
import { readAgain } from '../../../src/store/read-again.ts';
import { type BatchStep, filled, scriptedBatches } from '../../helpers/engine/scripted-batches.ts';
import { countingArena } from '../../helpers/engine/scripted-engine.ts';

/**
 * Reads objects of `bytes` bytes again, one for each character of `keys`. Returns for each: its problem,
 * the bytes of its new block, or those in its old place.
 */
async function again(
  keys: string,
  bytes: number,
  steps: readonly BatchStep[],
  arena = countingArena(),
) {
  const { engine, made, finished } = scriptedBatches(arena, steps);
  const doubts = [...keys].map((key, index) => ({ index, key, block: filled(arena, bytes, '?') }));
  try {
    const certain = await readAgain(engine, doubts, (size) =>
      size > arena.maxBlockBytes ? undefined : arena.tryAllocate(size),
    );
    finished();
    const reported = doubts.map(({ index, block: own }) => {
      const found = certain.filter((each) => each.index === index);
      assert.ok(found.length <= 1, 'one answer for each');
      const { problem, block } = found[0] ?? {};
      const text = (block ?? own).view.toString();
      if (block !== undefined) {
        assert.equal(problem, undefined);
        block.release();
        return `moved: ${text}`;
      }
      return problem === undefined ? text : `${problem.slug} ${problem.options.code}`;
    });
    return { reported, made };
  } finally {
    for (const { block } of doubts) block.release();
    assert.equal(arena.used, 0, 'a block leaked');
  }
}

describe('readAgain', () => {
  it('reports removed objects', async () => {
    const { reported, made } = await again('ab', 3, [['query', ['missing', 'missing']]]);
    assert.deepEqual(reported, ['object-not-found -3102', 'object-not-found -3102']);
    assert.deepEqual(made, ['query a b']);
  });

  it('passes on the code of an engine that cannot tell', async () => {
    const { reported } = await again('a', 3, [['query', { code: -3014 }]]);
    assert.deepEqual(reported, ['engine-unavailable -3014']);
  });

  it('reads unchanged and readable objects into their place, and no others', async () => {
    const { reported, made } = await again('abcd', 3, [
      ['query', [3, 3, 'missing', 3]],
      ['exist', [0, -3007, 0]],
      ['get', [0, 0]],
    ]);
    assert.deepEqual(reported, [
      'aaa',
      'object-being-written -3007',
      'object-not-found -3102',
      'ddd',
    ]);
    assert.deepEqual(made, ['query a b c d', 'exist a b d', 'get a:3 d:3']);
  });

  it('reads objects with another length into a new block', async () => {
    const { reported, made } = await again('abc', 3, [
      ['query', [5, 3, 1]],
      ['exist', [0]],
      ['get', [0, 0, 0]],
    ]);
    assert.deepEqual(reported, ['moved: aaaaa', 'bbb', 'moved: c']);
    assert.equal(made.at(-1), 'get a:5 b:3 c:1');
  });

  it('reports the reason for objects that fail twice', async () => {
    const { reported, made } = await again('abcdef', 3, [
      ['query', [5, 3, 3, 4, 3, 3]],
      ['exist', [0, 0, 0, 0]],
      ['get', [-1, UNTRUSTED_READ, -1, -3104, -1, -1]],
      ['query', [7, 3, 'missing', 3]],
      ['exist', [0, -3007]],
    ]);
    assert.deepEqual(reported, [
      'object-changed -1',
      'read-not-trusted undefined',
      'read-not-trusted -1',
      'lease-active -3104',
      'object-not-found -3102',
      'object-being-written -3007',
    ]);
    assert.deepEqual(made.slice(3), ['query a c e f', 'exist c f']);
  });

  it('does not read an object that is empty now', async () => {
    const { reported, made } = await again('a', 3, [['query', [0]]]);
    assert.deepEqual(reported, ['moved: ']);
    assert.deepEqual(made, ['query a']);
  });

  it('gives up an object that does not fit with its new length', async () => {
    for (const size of [98, 201, 2 ** 40]) {
      const arena = countingArena(100, 200);
      const { reported, made } = await again('a', 3, [['query', [size]]], arena);
      assert.deepEqual(reported, ['object-changed -1']);
      assert.deepEqual(made, ['query a']);
    }
    const steps: BatchStep[] = [
      ['query', [97]],
      ['get', [0]],
    ];
    const { reported } = await again('a', 3, steps, countingArena(100, 200));
    assert.deepEqual(reported, [`moved: ${'a'.repeat(97)}`]);
  });

  it('releases a block that it has filled when a later call fails', async () => {
    const late = new EngineDeadlineError('batch_query', 5);
    const steps: BatchStep[] = [
      ['query', [5, 3]],
      ['exist', [0]],
      ['get', [0, -1]],
      ['query', late],
    ];
    await assert.rejects(again('ab', 3, steps), late);
  });

  it('fails with any call that does not return, and then holds nothing', async () => {
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
