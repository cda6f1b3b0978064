import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { engineCodes } from '../../../src/errors/engine-codes.ts';
import { ProblemError, problemKinds } from '../../../src/errors/problems.ts';
import { EngineDeadlineError } from '../../../src/native/abi/errors.ts';
import { concernsOthers } from '../../../src/store/write-objects.ts';
import { put, puts } from '../../helpers/bodies/batch-puts.ts';
import type { BatchStep } from '../../helpers/engine/scripted-batches.ts';

const late = new EngineDeadlineError('batch_put', 5);
const timedOut = 'engine-timeout -3004';

describe('writeObjects after \u22121', () => {
  it('finds existing objects, also those being written', async () => {
    const steps = [
      ['put', [-1, 0, -1]],
      ['exist', [0, -3007]],
    ] as const;
    const exists = 'object-exists -3006';
    await puts('abc', 'fail', steps, [exists, 'created', exists]);
    await puts('abc', 'keep', steps, ['kept', 'created', 'kept']);
  });

  it('replaces them with single writes, because space must be allocated first', async () => {
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

  it('puts the others once more, because eviction may have freed space', async () => {
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

  it('explains one item, and reports the same for the others', async () => {
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

  it('continues one by one after items that are stored after all, or larger than the pool', async () => {
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

  it('does not report a reason that concerns one key for the others', async () => {
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
      const reported = `${problem.slug} ${problem.options.code}`;
      await puts('ab', 'replace', steps, [reported, 'created']);
    }
  });
});

describe('a problem of one object of a batch', () => {
  it('concerns the others if its cause is the engine, the pool or the placement', () => {
    for (const { problem } of engineCodes) {
      if (problem === undefined) continue;
      assert.equal(concernsOthers({ slug: problem }), problemKinds[problem].status >= 500, problem);
    }
    assert.equal(concernsOthers({ slug: 'placement-impossible' }), true);
    assert.equal(concernsOthers({ slug: 'pool-too-small' }), false);
  });
});

describe('writeObjects with a call that does not return', () => {
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
      'the question about one, after another has been replaced',
      [
        ['put', [-3006, -1, 0]],
        ['remove', [0]],
        ['put', [0]],
        ['exist', late],
      ],
      ['replaced', timedOut, 'created'],
    ],
    [
      'the put after the remove',
      [
        ['put', [0, -3006, -3006]],
        ['remove', [-3104, 0]],
        ['put', late],
      ],
      // One call with the remove; its result is unknown.
      ['created', timedOut, timedOut],
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
    it(`reports this for all items without a result: ${name}`, async () => {
      await puts('abc', 'replace', steps, outcomes);
    });
  }

  it('rejects with a defect, which is the result of no item', async () => {
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
