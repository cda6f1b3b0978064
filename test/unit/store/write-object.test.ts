import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ProblemError, type ProblemSlug } from '../../../src/errors/problems.ts';
import { EngineDeadlineError } from '../../../src/native/abi/errors.ts';
import type { PutOptions } from '../../../src/native/abi/types.ts';
import { callsForOne } from '../../../src/scheduler/engine-calls.ts';
import type { PoolBytes } from '../../../src/store/admission.ts';
import type { IfExists } from '../../../src/store/object-store.ts';
import { TRIAL_BYTES } from '../../../src/store/refused-put.ts';
import { RoomWait } from '../../../src/store/room-wait.ts';
import { writeObject } from '../../../src/store/write-objects.ts';
import { countingArena, type Script, scriptedCalls } from '../../helpers/engine/scripted-engine.ts';

/** The pool of one client. */
const alone = (bytes: number): PoolBytes => ({ segment: bytes, total: bytes });

const anywhere: PutOptions = { replicas: 1, prefer: [] };
const twice: PutOptions = { replicas: 2, prefer: [] };
const forced: PutOptions = { replicas: 1, prefer: [3] };
const trial = 'memcache-gateway/placement/UUID';

interface Case {
  readonly options?: PutOptions;
  readonly ifExists?: IfExists;
  readonly poolBytes?: PoolBytes;
  readonly bytes?: number;
}

async function write(script: Script, given: Case) {
  const { options = anywhere, ifExists = 'fail', poolBytes, bytes = 10 } = given;
  const engine = scriptedCalls(script);
  const arena = countingArena(bytes);
  const block = arena.tryAllocate(bytes);
  assert.ok(block);
  const context = { engine: callsForOne(arena, engine.calls), poolBytes, options, ifExists };
  const outcome = writeObject(context, { index: 0, key: 'a', block });
  const settled = await outcome.catch((error: unknown) => error);
  engine.finished();
  assert.equal(arena.used, 1, 'the block stays with its caller');
  return { settled, made: engine.made };
}

async function writes(script: Script, given: Case, outcome: string, calls: string[]) {
  const { settled, made } = await write(script, given);
  assert.equal(settled, outcome);
  assert.deepEqual(made, calls);
}

async function fails(script: Script, given: Case, slug: ProblemSlug, code = -1) {
  const { settled, made } = await write(script, given);
  assert.ok(settled instanceof ProblemError, String(settled));
  assert.equal(settled.slug, slug);
  assert.equal(settled.options.code, code);
  return made;
}

describe('writeObject in a full pool', () => {
  it('waits for room, and reports a replaced object as such', async () => {
    const engine = scriptedCalls({
      put: [-1, -1, -1, 0, 0],
      exist: [-3102, -3102],
      remove: [0],
    });
    const arena = countingArena(5000);
    const block = arena.tryAllocate(5000);
    assert.ok(block);
    const roomWait = new RoomWait(60_000, 5000);
    const context = {
      engine: callsForOne(arena, engine.calls),
      poolBytes: alone(10_000),
      options: anywhere,
      ifExists: 'fail',
      awaitRoom: (size: number, attempt: () => Promise<boolean>) =>
        roomWait.retry(size, { destroyed: false }, attempt),
    } as const;
    const outcome = await writeObject(context, { index: 0, key: 'a', block });
    assert.equal(outcome, 'created');
    assert.equal(roomWait.heldBytes, 0);
    assert.equal(engine.made.filter((call) => call.startsWith('put a ')).length, 3);
  });
});

describe('writeObject for an existing object', () => {
  it('stores a new object with one call', () =>
    writes({ put: [0] }, { options: twice }, 'created', ['put a 10 replicas=2']));

  it('fails if the object exists, or keeps it', async () => {
    await fails({ put: [-3006] }, { ifExists: 'fail' }, 'object-exists', -3006);
    await writes({ put: [-3006] }, { ifExists: 'keep' }, 'kept', ['put a 10']);
  });

  it('replaces it by removing and storing', () =>
    writes({ put: [-3006, 0], remove: [0] }, { ifExists: 'replace' }, 'replaced', [
      'put a 10',
      'remove a',
      'put a 10',
    ]));

  it('returns created if the other object vanished before it could be removed', () =>
    writes({ put: [-3006, 0], remove: [-3102] }, { ifExists: 'replace' }, 'created', [
      'put a 10',
      'remove a',
      'put a 10',
    ]));

  it('also replaces the object of a writer in between, but gives up on the third', async () => {
    const put = [-3006, -3006, 0];
    await writes({ put, remove: [0, 0] }, { ifExists: 'replace' }, 'replaced', [
      'put a 10',
      'remove a',
      'put a 10',
      'remove a',
      'put a 10',
    ]);
    const always = { put: [-3006, -3006, -3006], remove: [0, 0] };
    await fails(always, { ifExists: 'replace' }, 'object-exists', -3006);
  });

  it('puts after it has removed, however long the calls before took', async () => {
    const { calls, made } = scriptedCalls({ put: [-3006], remove: [0] });
    const last = scriptedCalls({ put: [0] });
    const arena = countingArena();
    const block = arena.tryAllocate(10);
    assert.ok(block);
    const engine = callsForOne(arena, calls, last.calls);
    const given = { poolBytes: undefined, options: anywhere, ifExists: 'replace' } as const;
    const outcome = await writeObject({ engine, ...given }, { index: 0, key: 'a', block });
    assert.equal(outcome, 'replaced');
    assert.deepEqual([made, last.made], [['put a 10', 'remove a'], ['put a 10']]);
  });

  it('returns the reason if the other object cannot be removed', async () => {
    const script = { put: [-3006], remove: [-3104] };
    await fails(script, { ifExists: 'replace' }, 'lease-active', -3104);
  });
});

describe('writeObject and the engine\u2019s codes', () => {
  it('passes on every code except \u22121', async () => {
    await fails({ put: [-3000] }, {}, 'engine-invalid-parameter', -3000);
    await fails({ put: [-3016] }, {}, 'no-room', -3016);
    await fails({ put: [-3004] }, {}, 'engine-timeout', -3004);
    await fails({ put: [1] }, { ifExists: 'replace' }, 'engine-fault', 1);
  });

  it('finds after \u22121 that the object exists, also one being written', async () => {
    for (const exist of [0, -3007]) {
      await fails({ put: [-1], exist: [exist] }, {}, 'object-exists', -3006);
      const calls = ['put a 10', 'exist a'];
      await writes({ put: [-1], exist: [exist] }, { ifExists: 'keep' }, 'kept', calls);
    }
  });

  it('finds after \u22121 that the engine is unavailable', async () => {
    await fails({ put: [-1], exist: [-3014] }, {}, 'engine-unavailable', -3014);
    await fails({ put: [-1], exist: [-3019] }, { options: forced }, 'engine-unavailable', -3019);
  });

  it('finds after \u22121 that the value with its replicas is larger than the pool', async () => {
    const missing = { put: [-1], exist: [-3102] };
    await fails(missing, { poolBytes: alone(9) }, 'pool-too-small');
    await fails(missing, { poolBytes: alone(19), options: twice }, 'pool-too-small');
    const nothingFits = { put: [-1, -1], exist: [-3102] };
    await fails(nothingFits, { poolBytes: alone(10) }, 'no-room');
  });

  it('finds after \u22121 that the pool has no space at all', async () => {
    assert.deepEqual(await fails({ put: [-1, -1], exist: [-3102] }, {}, 'no-room'), [
      'put a 10',
      'exist a',
      `put ${trial} 10`,
    ]);
    await fails({ put: [-1, -1, -1], exist: [-3102] }, { options: twice }, 'no-room');
  });

  it('finds after \u22121 that the pool has no space for this size, after a second try', async () => {
    const bytes = TRIAL_BYTES + 1;
    const script = { put: [-1, 0, -1], exist: [-3102], remove: [0] };
    assert.deepEqual(await fails(script, { bytes, options: forced }, 'no-room'), [
      `put a ${bytes} prefer=3`,
      'exist a',
      `put ${trial} ${TRIAL_BYTES} prefer=3`,
      `remove ${trial}`,
      `put a ${bytes} prefer=3`,
    ]);
  });

  it('finds no reason after \u22121 if another object of the same size was stored', async () => {
    for (const bytes of [1, TRIAL_BYTES]) {
      const script = { put: [-1, 0, -1], exist: [-3102], remove: [0] };
      await fails(script, { bytes }, 'engine-error');
    }
  });

  it('stores the object after all if space was freed', async () => {
    const script = { put: [-1, 0, 0], exist: [-3102], remove: [0] };
    await writes(script, {}, 'created', [
      'put a 10',
      'exist a',
      `put ${trial} 10`,
      `remove ${trial}`,
      'put a 10',
    ]);
    const quicker = { put: [-1, 0, -3006], exist: [-3102], remove: [0] };
    await fails(quicker, {}, 'object-exists', -3006);
    const gone = { put: [-1, 0, -3014], exist: [-3102], remove: [0] };
    await fails(gone, {}, 'engine-unavailable', -3014);
  });

  it('finds after \u22121 that the placement is impossible, with a small object', async () => {
    for (const [options, text] of [
      [twice, ' replicas=2'],
      [forced, ' prefer=3'],
    ] as const) {
      const script = { put: [-1, -1, 0], exist: [-3102], remove: [0] };
      const made = await fails(script, { options }, 'placement-impossible');
      assert.deepEqual(made.slice(2), [
        `put ${trial} 10${text}`,
        `put ${trial} 10`,
        `remove ${trial}`,
      ]);
    }
  });

  it('returns the code of the small object if it is not \u22121', async () => {
    const script = { put: [-1, -3014], exist: [-3102] };
    await fails(script, { options: twice }, 'engine-unavailable', -3014);
  });

  it('treats a small object of an earlier trial as proof of space, and removes it', async () => {
    const script = { put: [-1, -1, -3006], exist: [-3102], remove: [0] };
    const made = await fails(script, { options: forced }, 'placement-impossible');
    assert.equal(made.at(-1), `remove ${trial}`);
  });

  it('knows the reason even if the small object cannot be removed', async () => {
    for (const remove of [-3104, new EngineDeadlineError('remove', 5)]) {
      const script = { put: [-1, -1, 0], exist: [-3102], remove: [remove] };
      await fails(script, { options: forced }, 'placement-impossible');
    }
  });
});

describe('writeObject with an object to replace and no space beside it', () => {
  const replace = { ifExists: 'replace' } as const;
  const there = { exist: [0] };
  const smallFits = [`put ${trial} 10`, `remove ${trial}`];

  it('removes it for an object that fits the freed space', async () => {
    const size = (bytes: number, replicas: number) => ({
      size: bytes,
      replicas: Array.from({ length: replicas }, (_, serviceId) => ({
        serviceId,
        medium: 'DRAM' as const,
      })),
    });
    for (const [old, options] of [
      [size(10, 1), anywhere],
      [size(10, 2), twice],
      [size(10, 0), anywhere],
    ] as const) {
      const script = { ...there, put: [-1, 0, 0], query: [old], remove: [0, 0] };
      const { settled } = await write(script, { ...replace, options });
      assert.equal(settled, 'replaced');
    }
    for (const [old, options] of [
      [size(9, 1), anywhere],
      [size(19, 1), twice],
    ] as const) {
      const script = { ...there, put: [-1, 0], query: [old], remove: [0] };
      const made = await fails(script, { ...replace, options }, 'no-room');
      assert.ok(!made.includes('remove a'));
    }
  });

  it('removes it for any object that fits the pool, if the size of the pool is known', async () => {
    await writes(
      { ...there, put: [-1, 0, 0], remove: [0, 0] },
      { ...replace, poolBytes: alone(10) },
      'replaced',
      ['put a 10', 'exist a', ...smallFits, 'remove a', 'put a 10'],
    );
  });

  it('keeps it if the pool can never hold the new object', async () => {
    const made = await fails(
      { ...there, put: [-1] },
      { ...replace, poolBytes: alone(9) },
      'pool-too-small',
    );
    assert.deepEqual(made, ['put a 10', 'exist a']);
  });

  it('keeps it if the placement is impossible', async () => {
    const script = { ...there, put: [-1, -1, 0], remove: [0] };
    for (const options of [twice, forced]) {
      const made = await fails(script, { ...replace, options }, 'placement-impossible');
      assert.ok(!made.includes('remove a'));
    }
  });

  it('keeps it if not even a small object can be stored', async () => {
    await fails({ ...there, put: [-1, -1] }, replace, 'no-room');
  });
});
