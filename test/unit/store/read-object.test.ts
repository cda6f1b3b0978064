import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { UNTRUSTED_READ } from '../../../src/errors/engine-codes.ts';
import { ProblemError, type ProblemSlug } from '../../../src/errors/problems.ts';
import { EngineDeadlineError } from '../../../src/native/abi/errors.ts';
import type { Arena } from '../../../src/native/abi/types.ts';
import { callsForOne, type EngineCalls } from '../../../src/scheduler/engine-calls.ts';
import { readObject } from '../../../src/store/read-objects.ts';
import { countingArena, type Script, scriptedCalls } from '../../helpers/engine/scripted-engine.ts';

const contextOf = (calls: EngineCalls, arena: Arena) => ({
  engine: callsForOne(arena, calls),
  arenaWaitMs: 10,
});

async function reads(script: Script, calls: string[], arena = countingArena()) {
  const engine = scriptedCalls(script);
  const block = await readObject(contextOf(engine.calls, arena), 'a');
  engine.finished();
  assert.deepEqual(engine.made, calls);
  assert.equal(arena.used, block.length === 0 ? 0 : 1);
  block.release();
  return block;
}

async function fails(
  script: Script,
  slug: ProblemSlug,
  code: number | undefined,
  arena = countingArena(),
): Promise<void> {
  const engine = scriptedCalls(script);
  await assert.rejects(readObject(contextOf(engine.calls, arena), 'a'), (error) => {
    assert.ok(error instanceof ProblemError, String(error));
    assert.equal(error.slug, slug);
    assert.equal(error.options.code, code);
    return true;
  });
  engine.finished();
  assert.equal(arena.used, 0, 'a block leaked');
}

const size = (bytes: number) => ({ size: bytes });

describe('readObject', () => {
  it('queries the size, and reads exactly this size', async () => {
    const fill = (block: { view: Buffer }) => {
      block.view.fill(7);
      return 0;
    };
    const block = await reads({ query: [size(3)], get: [fill] }, ['query a', 'get a 3']);
    assert.deepEqual([...block.view], [7, 7, 7]);
  });

  it('reports a missing object without a read', async () => {
    await fails({ query: ['missing'] }, 'object-not-found', -3102);
    await fails({ query: [-3102] }, 'object-not-found', -3102);
    await fails({ query: [-3014] }, 'engine-unavailable', -3014);
  });

  it('returns an empty object of another client without a block', async () => {
    const block = await reads({ query: [size(0)] }, ['query a']);
    assert.equal(block.length, 0);
  });

  it('reports that the object was removed if \u22121 is followed by its absence', async () => {
    await fails({ query: [size(3), 'missing'], get: [-1] }, 'object-not-found', -3102);
  });

  it('reads once more with the new length if it has changed', async () => {
    await reads({ query: [size(3), size(5)], get: [-1, 0] }, [
      'query a',
      'get a 3',
      'query a',
      'get a 5',
    ]);
    await reads({ query: [size(3), size(0)], get: [-1] }, ['query a', 'get a 3', 'query a']);
  });

  it('returns 409 if the length has changed twice', async () => {
    const script = { query: [size(3), size(5), size(7)], get: [-1, -1] };
    await fails(script, 'object-changed', -1);
  });

  it('checks whether the object is readable if its length is unchanged', async () => {
    const unchanged = (exist: number) => ({ query: [size(3), size(3)], get: [-1], exist: [exist] });
    await fails(unchanged(-3007), 'object-being-written', -3007);
    await fails(unchanged(-3102), 'object-not-found', -3102);
    await fails(unchanged(-3014), 'engine-unavailable', -3014);
  });

  it('reads once more if the object is unchanged, and then returns 503', async () => {
    await reads({ query: [size(3), size(3)], get: [-1, 0], exist: [0] }, [
      'query a',
      'get a 3',
      'query a',
      'exist a',
      'get a 3',
    ]);
    const script = { query: [size(3), size(3), size(3)], get: [-1, -1], exist: [0, 0] };
    await fails(script, 'read-not-trusted', -1);
  });

  it('reports the last change if one kind follows the other', async () => {
    const grew = { query: [size(3), size(3), size(5)], get: [-1, -1], exist: [0] };
    await fails(grew, 'object-changed', -1);
    const stayed = { query: [size(3), size(5), size(5)], get: [-1, -1], exist: [0] };
    await fails(stayed, 'read-not-trusted', -1);
  });

  it('passes on any other code at once, also from the second attempt', async () => {
    await fails({ query: [size(3)], get: [-3014] }, 'engine-unavailable', -3014);
    await fails({ query: [size(3)], get: [1] }, 'engine-fault', 1);
    await fails({ query: [size(3), size(4)], get: [-1, -3104] }, 'lease-active', -3104);
    await fails({ query: [size(3), -3014], get: [-1] }, 'engine-unavailable', -3014);
  });

  it('queries nothing that is already known', async () => {
    const engine = scriptedCalls({ get: [0] });
    const context = contextOf(engine.calls, countingArena());
    (await readObject(context, 'a', undefined, 3)).release();
    assert.deepEqual(engine.made, ['get a 3']);
  });

  it('does not trust a read that the native code does not trust', async () => {
    await fails({ query: [size(3)], get: [UNTRUSTED_READ] }, 'read-not-trusted', undefined);
  });

  it('releases its block if a call does not return in time', async () => {
    const arena = countingArena();
    const late = new EngineDeadlineError('get', 5);
    const { calls } = scriptedCalls({ query: [size(3)], get: [late] });
    await assert.rejects(
      readObject(contextOf(calls, arena), 'a'),
      (error) => error instanceof ProblemError && error.cause === late,
    );
    assert.equal(arena.used, 0);
  });

  it('refuses an object that the arena can never hold, and waits for memory for others', async () => {
    const arena = countingArena(100, 100);
    await fails({ query: [size(101)] }, 'object-too-large', undefined, arena);
    await reads({ query: [size(100)], get: [0] }, ['query a', 'get a 100'], arena);
    const full = countingArena(100, 100);
    const other = full.tryAllocate(1);
    const { calls } = scriptedCalls({ query: [size(100)] });
    await assert.rejects(
      readObject(contextOf(calls, full), 'a'),
      (error) => error instanceof ProblemError && error.slug === 'arena-full',
    );
    other?.release();
  });
});
