import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { jsonEncoder } from '../../../../src/codecs/json/json-encoder.ts';
import { problemOfCode } from '../../../../src/store/engine-problem.ts';

describe('a JSON response with values', () => {
  it('is complete with and without items, whichever of them failed', () => {
    for (const failing of [[], [0], [1], [0, 1, 2]]) {
      for (const keys of [[], ['a'], ['a', 'b"', 'é']]) {
        const encoder = jsonEncoder(keys);
        let failed = 0;
        const texts = keys.map((_, i) => {
          if (!failing.includes(i)) return `${encoder.before(i, 2)}aGk=${encoder.after(i)}`;
          failed++;
          return encoder.failure(i, problemOfCode('read', -3102));
        });
        const text = [...encoder.open().map(String), ...texts, encoder.close(failed)].join('');
        const answer = JSON.parse(text) as { items: { key: string; status: number }[] };
        assert.deepEqual(
          answer.items.map(({ key }) => key),
          keys,
        );
        assert.equal(answer.items.filter(({ status }) => status === 404).length, failed);
        if (keys.length > 0 && failing.length === 0) {
          const first = { key: 'a', status: 200, code: 0, size: 2, value: 'aGk=' };
          assert.deepEqual(answer.items[0], first);
        }
      }
    }
  });
});
