import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ProblemError } from '../../../src/errors.ts';
import { puts } from '../../helpers/batch-puts.ts';
import type { BatchStep } from '../../helpers/scripted-batches.ts';

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
      ['created', 'no-room -3016', 'engine-timeout -3004', 'engine-fault 1'],
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
