import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import v8 from 'node:v8';
import { keepHeapSteady } from '../../../src/supervisor/steady-heap.ts';

const youngBytes = (): number =>
  v8.getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space')?.space_size ?? 0;

describe('a heap with a fixed young generation', () => {
  it('keeps it below 4 MiB, however many objects are created and discarded', () => {
    keepHeapSteady();
    assert.ok(youngBytes() > 0);
    let kept: object[] = [];
    for (let n = 0; n < 500_000; n++) {
      kept.push({ n, text: `object ${n}` });
      if (kept.length > 20_000) kept = [];
    }
    // It is 32 MiB otherwise.
    assert.ok(youngBytes() <= 4 << 20, `${youngBytes()}`);
  });
});
