import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ProblemError } from '../../../src/errors.ts';
import { EngineDeadlineError } from '../../../src/native/errors.ts';
import { putBatch } from '../../../src/store/batch-put.ts';
import type { IfExists } from '../../../src/store/object-store.ts';
import { type BatchStep, scriptedBatches } from '../../helpers/scripted-batches.ts';
import { countingArena } from '../../helpers/scripted-engine.ts';

/** Puts `a:1 b:2 …`, and gives the outcome of each: a word, or a slug with its code. */
async function put(keys: string, ifExists: IfExists, steps: readonly BatchStep[]) {
  const arena = countingArena();
  const scripted = scriptedBatches(arena, steps);
  const settled = new Map<number, string>();
  const items = [...keys].map((key, index) => {
    const block = arena.tryAllocate(index + 1);
    assert.ok(block);
    return { index, key, block };
  });
  const context = {
    engine: scripted.engine,
    store: scripted,
    options: { replicas: 2, prefer: [] },
    ifExists,
    settle(index: number, outcome: string | ProblemError) {
      assert.ok(!settled.has(index), `${index} was settled twice`);
      settled.set(
        index,
        typeof outcome === 'string' ? outcome : `${outcome.slug} ${outcome.options.code}`,
      );
    },
  };
  const failed = await putBatch(context, items).then(
    () => undefined,
    (error: unknown) => error,
  );
  scripted.finished();
  assert.equal(arena.used, items.length, 'blocks stay with the caller');
  for (const { block } of items) block.release();
  assert.equal(arena.used, 0, 'nobody else holds one');
  const outcomes = items.map(({ index }) => settled.get(index));
  return { outcomes, made: scripted.made, failed };
}

async function puts(
  keys: string,
  ifExists: IfExists,
  steps: readonly BatchStep[],
  outcomes: readonly string[],
): Promise<string[]> {
  const result = await put(keys, ifExists, steps);
  assert.equal(result.failed, undefined);
  assert.deepEqual(result.outcomes, outcomes);
  return result.made;
}

const late = new EngineDeadlineError('batch_put', 5);
const timedOut = 'engine-timeout -3004';

describe('putBatch', () => {
  it('stores new objects with one call', async () => {
    const made = await puts('ab', 'fail', [['put', [0, 0]]], ['created', 'created']);
    assert.deepEqual(made, ['put a:1 b:2 replicas=2']);
  });

  it('tells each item its own code', async () => {
    await puts(
      'abcd',
      'fail',
      [['put', [0, -3016, -3004, 1]]],
      ['created', 'no-room -3016', timedOut, 'engine-fault 1'],
    );
  });

  it('fails on those that exist, or keeps them', async () => {
    const steps = [['put', [-3006, 0]]] as const;
    await puts('ab', 'fail', steps, ['object-exists -3006', 'created']);
    await puts('ab', 'keep', steps, ['kept', 'created']);
  });
});

describe('putBatch that replaces', () => {
  it('removes and puts those that exist, and no others', async () => {
    const made = await puts(
      'abc',
      'replace',
      [
        ['put', [-3006, 0, -3006]],
        ['remove', [0, 0]],
        ['put', [0, -3010]],
      ],
      ['replaced', 'created', 'engine-network-fault -3010'],
    );
    assert.deepEqual(made.slice(1), ['remove a c', 'put a:1 c:3 replicas=2']);
  });

  it('calls it created when the other one vanished by itself, as a single write does', async () => {
    await puts(
      'ab',
      'replace',
      [
        ['put', [-3006, -3006]],
        ['remove', [-3102, 0]],
        ['put', [0, 0]],
      ],
      ['created', 'replaced'],
    );
  });

  it('calls it replaced when only a single write could put it where the other one was', async () => {
    await puts(
      'abc',
      'replace',
      [
        ['put', [-3006, -3006, -3006]],
        ['remove', [0, 0, -3102]],
        ['put', [-3006, -1, -1]],
        ['write', 'created'],
        ['write', 'created'],
        ['write', 'created'],
      ],
      ['replaced', 'replaced', 'created'],
    );
  });

  it('says why one cannot be removed, and goes on with the others', async () => {
    const steps: BatchStep[] = [
      ['put', [-3006, -3006]],
      ['remove', [-3104, 0]],
      ['put', [0]],
    ];
    await puts('ab', 'replace', steps, ['lease-active -3104', 'replaced']);
    const none = steps.slice(0, 1);
    await puts(
      'ab',
      'replace',
      [...none, ['remove', [-3104, -3014]]],
      ['lease-active -3104', 'engine-unavailable -3014'],
    );
  });

  it('puts alone what another writer has put in between', async () => {
    const made = await puts(
      'ab',
      'replace',
      [
        ['put', [-3006, -3006]],
        ['remove', [0, 0]],
        ['put', [-3006, 0]],
        ['write', 'replaced'],
      ],
      ['replaced', 'replaced'],
    );
    assert.equal(made.at(-1), 'write a:1 replace');
  });

  it('has what finds no room any more explained alone', async () => {
    await puts(
      'ab',
      'replace',
      [
        ['put', [-3006, -3006]],
        ['remove', [0, 0]],
        ['put', [-1, -1]],
        ['write', new ProblemError('no-room', { code: -1 })],
      ],
      ['no-room -1', 'no-room -1'],
    );
  });
});

describe('putBatch and what is behind \u22121', () => {
  it('finds those that exist, ones being written included', async () => {
    const steps = [
      ['put', [-1, 0, -1]],
      ['exist', [0, -3007]],
    ] as const;
    const exists = 'object-exists -3006';
    await puts('abc', 'fail', steps, [exists, 'created', exists]);
    await puts('abc', 'keep', steps, ['kept', 'created', 'kept']);
  });

  it('leaves it to single writes to replace those, since room must be sought first', async () => {
    const made = await puts(
      'ab',
      'replace',
      [
        ['put', [-1, -1]],
        ['exist', [0, -3007]],
        ['write', 'replaced'],
        ['write', new ProblemError('no-room', { code: -1 })],
      ],
      ['replaced', 'no-room -1'],
    );
    assert.deepEqual(made.slice(2), ['write a:1 replace', 'write b:2 replace']);
  });

  it('puts the others once more, since an eviction may have made room', async () => {
    const made = await puts(
      'abcd',
      'keep',
      [
        ['put', [-1, -1, -1, -1]],
        ['exist', [-3102, -3014, -3102, -3102]],
        ['put', [0, -3006, -3013]],
      ],
      ['created', 'engine-unavailable -3014', 'kept', 'no-room -3013'],
    );
    assert.deepEqual(made.slice(1), ['exist a b c d', 'put a:1 c:3 d:4 replicas=2']);
  });

  it('explains one, and tells the others the same', async () => {
    await puts(
      'abc',
      'fail',
      [
        ['put', [-1, -1, -1]],
        ['exist', [-3102, -3102, -3102]],
        ['put', [-1, -1, -1]],
        ['write', new ProblemError('placement-impossible', { code: -1 })],
      ],
      ['placement-impossible -1', 'placement-impossible -1', 'placement-impossible -1'],
    );
  });

  it('goes on one by one past those that are stored after all, or larger than the pool', async () => {
    await puts(
      'abcd',
      'fail',
      [
        ['put', [-1, -1, -1, -1]],
        ['exist', [-3102, -3102, -3102, -3102]],
        ['put', [-1, -1, -1, -1]],
        ['write', 'created'],
        ['write', new ProblemError('pool-too-small', { code: -1 })],
        ['write', new ProblemError('no-room', { code: -1 })],
      ],
      ['created', 'pool-too-small -1', 'no-room -1', 'no-room -1'],
    );
  });

  it('tells no other what stands in the way of one key alone', async () => {
    for (const problem of [
      new ProblemError('object-exists', { code: -3006 }),
      new ProblemError('lease-active', { code: -3104 }),
      new ProblemError('unmatched-state', { code: -3101 }),
    ]) {
      const steps: BatchStep[] = [
        ['put', [-1, -1]],
        ['exist', [-3102, -3102]],
        ['put', [-1, -1]],
        ['write', problem],
        ['write', 'created'],
      ];
      const told = `${problem.slug} ${problem.options.code}`;
      await puts('ab', 'replace', steps, [told, 'created']);
    }
  });
});

describe('putBatch when a call is not answered', () => {
  const phases: [name: string, steps: BatchStep[], before: string[]][] = [
    ['the first put', [['put', late]], [timedOut, timedOut, timedOut]],
    [
      'the remove',
      [
        ['put', [0, -3006, -3006]],
        ['remove', late],
      ],
      ['created', timedOut, timedOut],
    ],
    [
      'the put after the remove',
      [
        ['put', [0, -3006, -3006]],
        ['remove', [-3104, 0]],
        ['put', late],
      ],
      ['created', 'lease-active -3104', timedOut],
    ],
    [
      'the question whether they exist',
      [
        ['put', [0, -1, -3016]],
        ['exist', late],
      ],
      ['created', timedOut, 'no-room -3016'],
    ],
    [
      'the second put',
      [
        ['put', [0, -1, -1]],
        ['exist', [-3014, -3102]],
        ['put', late],
      ],
      ['created', 'engine-unavailable -3014', timedOut],
    ],
    [
      'the write that explains',
      [
        ['put', [0, -1, -1]],
        ['exist', [-3102, -3102]],
        ['put', [-1, -1]],
        ['write', late],
      ],
      ['created', timedOut, timedOut],
    ],
  ];
  for (const [name, steps, outcomes] of phases) {
    it(`tells so all that have no answer yet: ${name}`, async () => {
      await puts('abc', 'replace', steps, outcomes);
    });
  }

  it('rejects with a defect, which is nobody\u2019s answer', async () => {
    const defect = new TypeError('a defect');
    const { failed, outcomes } = await put('ab', 'fail', [['put', defect]]);
    assert.equal(failed, defect);
    assert.deepEqual(outcomes, [undefined, undefined]);
    const alone = await put('a', 'fail', [
      ['put', [-1]],
      ['exist', [-3102]],
      ['put', [-1]],
      ['write', defect],
    ]);
    assert.equal(alone.failed, defect);
  });
});
