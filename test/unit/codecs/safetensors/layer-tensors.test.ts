import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { layerSizesOfTensors } from '../../../../src/codecs/safetensors/layer-tensors.ts';
import { ProblemError } from '../../../../src/errors/problems.ts';

const tensorsOf = (names: readonly string[], bytes = 3) =>
  names.map((name, n) => ({ name, start: n * bytes, end: (n + 1) * bytes }));

describe('layers that arrive as tensors', () => {
  it('are ordered by their names, whatever the order of their bytes is', () => {
    const tensors = [
      { name: '10', start: 0, end: 10 },
      ...Array.from({ length: 10 }, (_, n) => ({
        name: String(9 - n),
        start: 20 + n * 10,
        end: 20 + n * 10 + 10 - n,
      })),
    ];
    assert.deepEqual(layerSizesOfTensors(tensors), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10]);
    assert.deepEqual(layerSizesOfTensors([]), []);
  });

  it('have exactly the names 0 to n-1, in decimal', () => {
    for (const names of [['1'], ['0', '2'], ['0', '00'], ['0', '01'], ['0', ' 1'], ['0', '1.0']]) {
      assert.throws(
        () => layerSizesOfTensors(tensorsOf(names)),
        (error) => error instanceof ProblemError && error.slug === 'invalid-body',
        names.join(),
      );
    }
  });

  it('have at least one byte', () => {
    assert.throws(() => layerSizesOfTensors(tensorsOf(['0', '1'], 0)), /Layer 0 is empty/);
  });
});
