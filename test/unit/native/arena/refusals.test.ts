import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Refusals } from '../../../../src/native/arena/refusals.ts';

describe('Refusals', () => {
  it('lasts from the first refusal, whatever happens to smaller requests', () => {
    let atMs = 100;
    const refusals = new Refusals(() => atMs);
    assert.deepEqual([refusals.count, refusals.forMs], [0, undefined]);
    refusals.refused(1000);
    atMs = 150;
    refusals.refused(5000);
    refusals.granted(999);
    refusals.hasRoom(999);
    assert.deepEqual([refusals.count, refusals.forMs], [2, 50]);
  });

  for (const end of ['granted', 'hasRoom'] as const) {
    it(`ends when as much as the smallest refusal is ${end}, and can begin again`, () => {
      let atMs = 100;
      const refusals = new Refusals(() => atMs);
      refusals.refused(5000);
      refusals.refused(1000);
      refusals[end](1000);
      assert.equal(refusals.forMs, undefined);
      atMs = 200;
      refusals.refused(2000);
      refusals[end](1000);
      assert.deepEqual([refusals.count, refusals.forMs], [3, 0]);
    });
  }
});
