import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { refusalOf } from '../../../src/store/admission.ts';

const slugOf = (bytes: number, replicas: number, poolBytes: number | undefined) =>
  refusalOf(bytes, replicas, { maxObjectBytes: 100, poolBytes })?.slug;

describe('refusalOf', () => {
  it('admits one byte up to the largest object, and nothing on either side', () => {
    assert.equal(slugOf(0, 1, undefined), 'empty-object');
    assert.equal(slugOf(1, 1, undefined), undefined);
    assert.equal(slugOf(100, 8, undefined), undefined);
    assert.equal(slugOf(101, 1, undefined), 'object-too-large');
    assert.equal(slugOf(2 ** 53, 1, undefined), 'object-too-large');
  });

  it('counts every replica against the pool, where its size is known', () => {
    assert.equal(slugOf(50, 1, 50), undefined);
    assert.equal(slugOf(51, 1, 50), 'pool-too-small');
    assert.equal(slugOf(25, 2, 50), undefined);
    assert.equal(slugOf(25, 3, 50), 'pool-too-small');
  });

  it('tells the limit that was passed', () => {
    const limits = { maxObjectBytes: 100, poolBytes: 50 };
    assert.deepEqual(refusalOf(101, 1, limits)?.options.members, { limitBytes: 100 });
    assert.deepEqual(refusalOf(60, 1, limits)?.options.members, { limitBytes: 50 });
  });
});
