import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ProblemError, type ProblemSlug } from '../../../src/errors.ts';
import { UNTRUSTED_READ } from '../../../src/native/codes.ts';
import { ArenaFullError, EngineDeadlineError } from '../../../src/native/errors.ts';
import { readObject } from '../../../src/store/read-object.ts';
import { countingArena, type Script, scriptedCalls } from '../../helpers/scripted-engine.ts';

async function reads(script: Script, calls: string[], arena = countingArena()) {
  const engine = scriptedCalls(script);
  const block = await readObject({ calls: engine.calls, arena, arenaWaitMs: 10 }, 'a');
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
  await assert.rejects(
    readObject({ calls: engine.calls, arena, arenaWaitMs: 10 }, 'a'),
    (error) => {
      assert.ok(error instanceof ProblemError, String(error));
      assert.equal(error.slug, slug);
      assert.equal(error.options.code, code);
      return true;
    },
  );
  engine.finished();
  assert.equal(arena.used, 0, 'a block leaked');
}

const size = (bytes: number) => ({ size: bytes });

describe('readObject', () => {
  it('asks for the size, and reads exactly so much', async () => {
    const fill = (block: { view: Buffer }) => {
      block.view.fill(7);
      return 0;
    };
    const block = await reads({ query: [size(3)], get: [fill] }, ['query a', 'get a 3']);
    assert.deepEqual([...block.view], [7, 7, 7]);
  });

  it('says that an object is missing without reading', async () => {
    await fails({ query: ['missing'] }, 'object-not-found', -3102);
    await fails({ query: [-3102] }, 'object-not-found', -3102);
    await fails({ query: [-3014] }, 'engine-unavailable', -3014);
  });

  it('gives an object without bytes, that another client has put, without memory', async () => {
    const block = await reads({ query: [size(0)] }, ['query a']);
    assert.equal(block.length, 0);
  });

  it('says that the object is gone when \u22121 is followed by its absence', async () => {
    await fails({ query: [size(3), 'missing'], get: [-1] }, 'object-not-found', -3102);
  });

  it('reads once more with the new length when it has changed', async () => {
    await reads({ query: [size(3), size(5)], get: [-1, 0] }, [
      'query a',
      'get a 3',
      'query a',
      'get a 5',
    ]);
    await reads({ query: [size(3), size(0)], get: [-1] }, ['query a', 'get a 3', 'query a']);
  });

  it('gives up with 409 when the length has changed twice', async () => {
    const script = { query: [size(3), size(5), size(7)], get: [-1, -1] };
    await fails(script, 'object-changed', -1);
  });

  it('asks whether the object is readable when its length is as before', async () => {
    const unchanged = (exist: number) => ({ query: [size(3), size(3)], get: [-1], exist: [exist] });
    await fails(unchanged(-3007), 'object-being-written', -3007);
    await fails(unchanged(-3102), 'object-not-found', -3102);
    await fails(unchanged(-3014), 'engine-unavailable', -3014);
  });

  it('reads once more when the object is there as before, and then gives up with 503', async () => {
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

  it('tells of the change that came last when one kind follows the other', async () => {
    const grew = { query: [size(3), size(3), size(5)], get: [-1, -1], exist: [0] };
    await fails(grew, 'object-changed', -1);
    const stayed = { query: [size(3), size(5), size(5)], get: [-1, -1], exist: [0] };
    await fails(stayed, 'read-not-trusted', -1);
  });

  it('passes any other code on at once, also from the second attempt', async () => {
    await fails({ query: [size(3)], get: [-3014] }, 'engine-unavailable', -3014);
    await fails({ query: [size(3)], get: [1] }, 'engine-fault', 1);
    await fails({ query: [size(3), size(4)], get: [-1, -3104] }, 'lease-active', -3104);
    await fails({ query: [size(3), -3014], get: [-1] }, 'engine-unavailable', -3014);
  });

  it('asks for nothing that is known already', async () => {
    const engine = scriptedCalls({ get: [0] });
    const arena = countingArena();
    const context = { calls: engine.calls, arena, arenaWaitMs: 10 };
    (await readObject(context, 'a', undefined, { size: 3 })).release();
    assert.deepEqual(engine.made, ['get a 3']);
    const again = scriptedCalls({ query: [size(5)], get: [0] });
    const first = { size: 3, code: -1 };
    (await readObject({ ...context, calls: again.calls }, 'a', undefined, first)).release();
    assert.deepEqual(again.made, ['query a', 'get a 5']);
    const untrusted = { size: 3, code: UNTRUSTED_READ };
    const none = { ...context, calls: scriptedCalls({}).calls };
    await assert.rejects(
      readObject(none, 'a', undefined, untrusted),
      (error) => error instanceof ProblemError && error.slug === 'read-not-trusted',
    );
  });

  it('does not trust a read that the native side does not trust', async () => {
    await fails({ query: [size(3)], get: [UNTRUSTED_READ] }, 'read-not-trusted', undefined);
  });

  it('frees its block when a call is not answered in time', async () => {
    const arena = countingArena();
    const late = new EngineDeadlineError('get', 5);
    const { calls } = scriptedCalls({ query: [size(3)], get: [late] });
    await assert.rejects(readObject({ calls, arena, arenaWaitMs: 10 }, 'a'), late);
    assert.equal(arena.used, 0);
  });

  it('refuses an object that the arena can never hold, and waits for one that it can', async () => {
    const arena = countingArena(100, 100);
    await fails({ query: [size(101)] }, 'object-too-large', undefined, arena);
    await reads({ query: [size(100)], get: [0] }, ['query a', 'get a 100'], arena);
    const full = countingArena(100, 100);
    const other = full.tryAllocate(1);
    const { calls } = scriptedCalls({ query: [size(100)] });
    await assert.rejects(readObject({ calls, arena: full, arenaWaitMs: 10 }, 'a'), ArenaFullError);
    other?.release();
  });
});
