import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import v8 from 'node:v8';
import { keepHeapSteady } from '../../../src/pool/steady-heap.ts';

const youngBytes = (): number =>
  v8.getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space')?.space_size ?? 0;

describe('a heap that is kept steady', () => {
  it('has a young generation that does not grow, whatever is made and thrown away', () => {
    keepHeapSteady();
    const before = youngBytes();
    assert.ok(before > 0);
    let kept: object[] = [];
    for (let n = 0; n < 2_000_000; n++) {
      kept.push({ n, text: `object ${n}` });
      if (kept.length > 20_000) kept = [];
    }
    assert.ok(youngBytes() <= before, `${before} → ${youngBytes()}`);
  });
});
