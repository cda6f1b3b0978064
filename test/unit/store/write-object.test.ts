import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ProblemError, type ProblemSlug } from '../../../src/errors.ts';
import type { PutOptions } from '../../../src/native/types.ts';
import type { IfExists } from '../../../src/store/object-store.ts';
import { writeObject } from '../../../src/store/write-object.ts';
import { countingArena, type Script, scriptedCalls } from '../../helpers/scripted-engine.ts';

const anywhere: PutOptions = { replicas: 1, prefer: [] };
const twice: PutOptions = { replicas: 2, prefer: [] };
const forced: PutOptions = { replicas: 1, prefer: [3] };
const probe = 'memcache-gateway/placement/UUID';

interface Case {
  readonly options?: PutOptions;
  readonly ifExists?: IfExists;
  readonly poolBytes?: number;
  readonly room?: number;
}

async function write(script: Script, { options, ifExists, poolBytes, room }: Case) {
  const engine = scriptedCalls(script);
  const arena = countingArena((room ?? 1000) + 10);
  const block = arena.tryAllocate(10);
  assert.ok(block);
  const context = { calls: engine.calls, arena, poolBytes };
  const outcome = writeObject(context, 'a', block, 10, options ?? anywhere, ifExists ?? 'fail');
  const settled = await outcome.catch((error: unknown) => error);
  engine.finished();
  assert.equal(arena.used, 1, 'the block stays with its caller, and the probes are freed');
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

describe('writeObject and what is there already', () => {
  it('stores a new object with one call', () =>
    writes({ put: [0] }, { options: twice }, 'created', ['put a 10 replicas=2']));

  it('fails on an object that exists, or keeps it', async () => {
    await fails({ put: [-3006] }, { ifExists: 'fail' }, 'object-exists', -3006);
    await writes({ put: [-3006] }, { ifExists: 'keep' }, 'kept', ['put a 10']);
  });

  it('replaces it by removing and storing', () =>
    writes({ put: [-3006, 0], remove: [0] }, { ifExists: 'replace' }, 'replaced', [
      'put a 10',
      'remove a',
      'put a 10',
    ]));

  it('calls it created when the other one vanished by itself before it could be removed', () =>
    writes({ put: [-3006, 0], remove: [-3102] }, { ifExists: 'replace' }, 'created', [
      'put a 10',
      'remove a',
      'put a 10',
    ]));

  it('replaces another writer\u2019s object too that slipped in, but gives up on the third', async () => {
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

  it('passes on why the other one cannot be removed', async () => {
    const script = { put: [-3006], remove: [-3104] };
    await fails(script, { ifExists: 'replace' }, 'lease-active', -3104);
  });
});

describe('writeObject and the engine\u2019s codes', () => {
  it('passes on every code but \u22121', async () => {
    await fails({ put: [-3000] }, {}, 'engine-invalid-parameter', -3000);
    await fails({ put: [-3016] }, {}, 'no-room', -3016);
    await fails({ put: [-3004] }, {}, 'engine-timeout', -3004);
    await fails({ put: [1] }, { ifExists: 'replace' }, 'engine-fault', 1);
  });

  it('finds behind \u22121 that the object exists, one being written included', async () => {
    for (const exist of [0, -3007]) {
      await fails({ put: [-1], exist: [exist] }, {}, 'object-exists', -3006);
      const calls = ['put a 10', 'exist a'];
      await writes({ put: [-1], exist: [exist] }, { ifExists: 'keep' }, 'kept', calls);
    }
    await writes({ put: [-1, 0], exist: [0], remove: [0] }, { ifExists: 'replace' }, 'replaced', [
      'put a 10',
      'exist a',
      'remove a',
      'put a 10',
    ]);
  });

  it('finds behind \u22121 that the engine has gone away', async () => {
    await fails({ put: [-1], exist: [-3014] }, {}, 'engine-unavailable', -3014);
    await fails({ put: [-1], exist: [-3019] }, { options: forced }, 'engine-unavailable', -3019);
  });

  it('finds behind \u22121 that the value is larger than the pool, replicas counted', async () => {
    const missing = { put: [-1], exist: [-3102] };
    await fails(missing, { poolBytes: 9 }, 'pool-too-small');
    await fails(missing, { poolBytes: 10 }, 'no-room');
    await fails(missing, { poolBytes: 19, options: twice }, 'pool-too-small');
  });

  it('finds behind \u22121 that there is no room', async () => {
    assert.deepEqual(await fails({ put: [-1], exist: [-3102] }, {}, 'no-room'), [
      'put a 10',
      'exist a',
    ]);
  });

  it('finds behind \u22121 that the placement cannot be had, with one byte', async () => {
    for (const [options, text] of [
      [twice, ' replicas=2'],
      [forced, ' prefer=3'],
    ] as const) {
      const script = { put: [-1, -1, 0], exist: [-3102], remove: [0] };
      const made = await fails(script, { options }, 'placement-impossible');
      assert.deepEqual(made.slice(2), [
        `put ${probe} 1${text}`,
        `put ${probe} 1`,
        `remove ${probe}`,
      ]);
    }
  });

  it('blames the room when one byte can be placed as asked', async () => {
    const script = { put: [-1, 0], exist: [-3102], remove: [0] };
    const made = await fails(script, { options: forced }, 'no-room');
    assert.deepEqual(made.slice(2), [`put ${probe} 1 prefer=3`, `remove ${probe}`]);
  });

  it('blames the room when no byte can be stored anywhere', async () => {
    await fails({ put: [-1, -1, -1], exist: [-3102] }, { options: twice }, 'no-room');
  });

  it('says what the engine says about that byte, when it says more than \u22121', async () => {
    const script = { put: [-1, -3014], exist: [-3102] };
    await fails(script, { options: twice }, 'engine-unavailable', -3014);
  });

  it('does not blame the placement when there was no memory to try it', async () => {
    await fails({ put: [-1], exist: [-3102] }, { options: twice, room: 0 }, 'no-room');
  });
});
