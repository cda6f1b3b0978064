import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createSizeCache } from '../../../src/store/size-cache.ts';

describe('a size cache', () => {
  it('knows what it has learnt last, and nothing it has forgotten', () => {
    const cache = createSizeCache(10);
    assert.equal(cache.get('a'), undefined);
    cache.learn('a', 1);
    cache.learn('a', 2);
    assert.equal(cache.get('a'), 2);
    cache.forget('a');
    assert.equal(cache.get('a'), undefined);
    assert.equal(cache.size, 0);
  });

  it('holds no more than it may, and keeps what is asked for', () => {
    const cache = createSizeCache(100);
    cache.learn('kept', 7);
    for (let i = 0; i < 10_000; i++) {
      cache.learn(`key-${i}`, i);
      if (i % 20 === 0) assert.equal(cache.get('kept'), 7);
      assert.ok(cache.size <= 100, `${cache.size}`);
    }
    assert.equal(cache.get('key-0'), undefined);
    assert.equal(cache.get('key-9999'), 9999);
  });

  it('remembers nothing when it may hold nothing, and never that an object is empty', () => {
    const none = createSizeCache(0);
    none.learn('a', 1);
    assert.equal(none.get('a'), undefined);
    const one = createSizeCache(1);
    one.learn('a', 0);
    assert.equal(one.get('a'), undefined);
  });
});
