import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encodeKey, isStorable } from '../../../../src/native/calls/key-bytes.ts';

function encoded(key: string): Buffer | undefined {
  const bytes = Buffer.alloc(300, 0xff);
  const end = encodeKey(bytes, 10, key);
  if (end < 0) return undefined;
  assert.equal(bytes[end - 1], 0, 'a NUL ends it');
  assert.equal(bytes[end], 0xff, 'and nothing follows');
  return bytes.subarray(10, end - 1);
}

describe('encodeKey', () => {
  for (const key of ['a', 'a/b c', '~\x01\x7f', 'ключ', '键', '😀', 'a😀b', 'x'.repeat(256)]) {
    it(`writes ${JSON.stringify(key.slice(0, 10))} as UTF-8 with a NUL`, () => {
      assert.deepEqual(encoded(key), Buffer.from(key));
    });
  }

  it('writes an empty key as an empty string, which the engine refuses', () => {
    assert.deepEqual(encoded(''), Buffer.alloc(0));
  });

  for (const key of ['\0', 'a\0', '\0é', 'é\0', '\ud800', 'a\udc00', 'é\ud83d', '\ude00\ud83d']) {
    it(`refuses ${JSON.stringify(key)}, which C would read as another key`, () => {
      assert.equal(encoded(key), undefined);
    });
  }

  for (const unit of ['a', 'é', '键', '😀']) {
    it(`keeps a key with too many ${unit} too long for the engine`, () => {
      const length = encoded(unit.repeat(300))?.length ?? 0;
      assert.ok(length > 256 && length <= 263, `${length}`);
    });
  }
});

describe('isStorable', () => {
  const cases: [string, boolean][] = [
    ['', false],
    ['a', true],
    ['a'.repeat(255), true],
    ['a'.repeat(256), false],
    ['键'.repeat(85), true],
    [`${'键'.repeat(85)}a`, false],
    ['😀'.repeat(63), true],
    ['😀'.repeat(64), false],
    ['a\0b', false],
    ['\ud800', false],
    ['a b\n', true],
  ];
  for (const [key, expected] of cases) {
    it(`${expected ? 'accepts' : 'refuses'} ${JSON.stringify(key.slice(0, 12))} (${key.length})`, () => {
      assert.equal(isStorable(key), expected);
    });
  }
});
