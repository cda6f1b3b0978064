import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decodeKey, parseTarget } from '../../../src/http/request/target.ts';
import { createSizeCache } from '../../../src/store/size-cache.ts';
import { bytesPerItem } from '../../helpers/memory/heap-bytes.ts';

describe('a size cache', () => {
  it('returns the last known size, and nothing that was forgotten', () => {
    const cache = createSizeCache(10);
    assert.equal(cache.get('a'), undefined);
    cache.learn('a', 1);
    cache.learn('a', 2);
    assert.equal(cache.get('a'), 2);
    cache.forget('a');
    assert.equal(cache.get('a'), undefined);
    assert.equal(cache.size, 0);
  });

  it('holds at most its limit, and keeps what is used', () => {
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

  for (const [what, stem] of [
    ['as they are', 'key/'],
    ['percent-encoded', 'key%2F'],
    ['in two bytes a character', '\u30ad\u30fc'],
  ] as const) {
    it(`keeps keys and not the request targets that contain them, ${what}`, async () => {
      const keyOf = (n: number) => `${stem}${n}`.padEnd(40, 'k');
      const bytes = await bytesPerItem(50_000, (count) => {
        const cache = createSizeCache(2 * count);
        for (let n = 0; n < count; n++) {
          // A separate text, as from the parser, in the latin1 of the bytes.
          const sent = Buffer.from(`/v1/objects/${keyOf(n)}?prefer=${'0'.repeat(3_000)}`);
          const { path } = parseTarget(sent.toString('latin1'));
          cache.learn(decodeKey(path.slice('/v1/objects/'.length)), n + 1);
        }
        assert.equal(cache.size, count);
        assert.equal(cache.get(decodeURIComponent(keyOf(count - 1))), count);
        return cache;
      });
      assert.ok(bytes < 300, `${Math.round(bytes)} bytes for each key`);
    });
  }

  it('stores the longest keys completely', () => {
    const cache = createSizeCache(10);
    const longest = ['k'.repeat(255), '\u00e9'.repeat(127), '\u{1f5dd}'.repeat(63)];
    for (const [n, key] of longest.entries()) cache.learn(key, n + 1);
    for (const [n, key] of longest.entries()) assert.equal(cache.get(key), n + 1);
    cache.forget(longest[0] as string);
    assert.equal(cache.size, 2);
  });

  it('stores nothing if its limit is 0, and never an empty object', () => {
    const none = createSizeCache(0);
    none.learn('a', 1);
    assert.equal(none.get('a'), undefined);
    const one = createSizeCache(1);
    one.learn('a', 0);
    assert.equal(one.get('a'), undefined);
  });
});
