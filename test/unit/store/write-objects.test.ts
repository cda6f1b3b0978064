import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ProblemError } from '../../../src/errors/problems.ts';
import { puts } from '../../helpers/bodies/batch-puts.ts';
import type { BatchStep } from '../../helpers/engine/scripted-batches.ts';

describe('writeObjects', () => {
  it('stores new objects with one call', async () => {
    const made = await puts('ab', 'fail', [['put', [0, 0]]], ['created', 'created']);
    assert.deepEqual(made, ['put a:1 b:2 replicas=2']);
  });

  it('reports its own code for each item', async () => {
    await puts(
      'abcd',
      'fail',
      [['put', [0, -3016, -3004, 1]]],
      ['created', 'no-room -3016', 'engine-timeout -3004', 'engine-fault 1'],
    );
  });

  it('fails for existing objects, or keeps them', async () => {
    const steps = [['put', [-3006, 0]]] as const;
    await puts('ab', 'fail', steps, ['object-exists -3006', 'created']);
    await puts('ab', 'keep', steps, ['kept', 'created']);
  });
});

describe('writeObjects with ifExists=replace', () => {
  it('removes and puts existing objects, and no others', async () => {
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

  it('returns created if the other object vanished, like a single write', async () => {
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

  it('returns replaced if only a single write could store the object', async () => {
    await puts(
      'abc',
      'replace',
      [
        ['put', [-3006, -3006, -3006]],
        ['remove', [0, 0, -3102]],
        ['put', [-3006, -1, -1]],
        ['write', 'created'],
        ['write', 'created'],
        ['remove', [-3102]],
        ['put', [0]],
      ],
      ['replaced', 'replaced', 'created'],
    );
  });

  it('reports why an object cannot be removed, and continues with the others', async () => {
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

  it('puts an object alone if another writer has stored one in between', async () => {
    const between: BatchStep[] = [
      ['put', [-3006, -3006]],
      ['remove', [0, 0]],
      ['put', [-3006, 0]],
      ['remove', [0]],
    ];
    const made = await puts('ab', 'replace', [...between, ['put', [0]]], ['replaced', 'replaced']);
    assert.deepEqual(made.slice(3), ['remove a', 'put a:1 replicas=2']);
    await puts(
      'ab',
      'replace',
      [...between, ['put', [-3006]]],
      ['object-exists -3006', 'replaced'],
    );
  });

  it('explains an item without space separately', async () => {
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
