import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LowestKeys } from '../../../../src/store/pool/lowest-keys.ts';

function lowest(keys: readonly string[], limit: number, prefix = '', after = '') {
  const found = new LowestKeys({ prefix: Buffer.from(prefix), after: Buffer.from(after), limit });
  // Each key is in memory that is used again.
  const memory = Buffer.alloc(256);
  for (const key of keys) found.add(memory.subarray(0, memory.write(key)));
  const page = found.page();
  return [page.keys.map(String), page.more];
}

describe('LowestKeys', () => {
  const letters = [...'hgfedcba'];

  it('keeps the lowest keys in any order, and knows whether there are more', () => {
    const sorted = [...letters].sort();
    for (const keys of [letters, sorted, [...'dbgahcfe']]) {
      for (let limit = 1; limit < 10; limit++) {
        assert.deepEqual(lowest(keys, limit), [sorted.slice(0, limit), limit < 8]);
      }
    }
    assert.deepEqual(lowest([], 3), [[], false]);
  });

  it('lists a key once that occurs several times', () => {
    assert.deepEqual(lowest([...'abab', ...'abab'], 2), [['a', 'b'], false]);
    assert.deepEqual(lowest([...'cbacbacba'], 2), [['a', 'b'], true]);
    assert.deepEqual(lowest([...'aaaaaab'], 1), [['a'], true]);
    assert.deepEqual(lowest([...'aaaaaa'], 1), [['a'], false]);
  });

  it('has only keys with the prefix, behind the last key of the page before', () => {
    assert.deepEqual(lowest(['a', 'ab', 'abc', 'b', 'aa'], 9, 'ab'), [['ab', 'abc'], false]);
    assert.deepEqual(lowest(['a', 'ab', 'abc', 'b'], 9, '', 'ab'), [['abc', 'b'], false]);
    assert.deepEqual(lowest(['b', 'c'], 1, '', 'b'), [['c'], false]);
  });
});
