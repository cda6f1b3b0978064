import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type PoolBytes, refusalOf } from '../../../src/store/admission.ts';

/** The pool of one client. */
const alone = (bytes: number): PoolBytes => ({ segment: bytes, total: bytes });

const slugOf = (bytes: number, replicas: number, poolBytes: PoolBytes | undefined) =>
  refusalOf(bytes, replicas, { maxObjectBytes: 100, poolBytes })?.slug;

describe('refusalOf', () => {
  it('admits sizes from one byte to the largest object, and no others', () => {
    assert.equal(slugOf(0, 1, undefined), 'empty-object');
    assert.equal(slugOf(1, 1, undefined), undefined);
    assert.equal(slugOf(100, 8, undefined), undefined);
    assert.equal(slugOf(101, 1, undefined), 'object-too-large');
    assert.equal(slugOf(2 ** 53, 1, undefined), 'object-too-large');
  });

  it('counts every replica against the size of the pool, if it is known', () => {
    assert.equal(slugOf(50, 1, alone(50)), undefined);
    assert.equal(slugOf(51, 1, alone(50)), 'pool-too-small');
    assert.equal(slugOf(25, 2, alone(50)), undefined);
    assert.equal(slugOf(25, 3, alone(50)), 'pool-too-small');
  });

  it('limits an object to the contribution of one client, and its replicas to all of them', () => {
    const four = { segment: 50, total: 200 };
    assert.equal(slugOf(50, 1, four), undefined);
    assert.equal(slugOf(51, 1, four), 'pool-too-small');
    assert.equal(slugOf(50, 4, four), undefined);
    assert.equal(slugOf(50, 5, four), 'pool-too-small');
    // More replicas than clients: the engine decides, because another client may join.
    assert.equal(slugOf(25, 8, four), undefined);
  });

  it('reports the exceeded limit', () => {
    const limits = { maxObjectBytes: 100, poolBytes: { segment: 50, total: 80 } };
    assert.deepEqual(refusalOf(101, 1, limits)?.options.members, { limitBytes: 100 });
    assert.deepEqual(refusalOf(60, 1, limits)?.options.members, { limitBytes: 50 });
    assert.deepEqual(refusalOf(41, 2, limits)?.options.members, { limitBytes: 80 });
  });
});
