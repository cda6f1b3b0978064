import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { requireKey, tooManyKeys } from '../../../src/codecs/keys.ts';
import { ProblemError } from '../../../src/errors/problems.ts';

function complaint(key: string): string | undefined {
  try {
    requireKey(key, () => 'keys[0]');
    return undefined;
  } catch (error) {
    assert.ok(error instanceof ProblemError);
    assert.equal(error.slug, 'invalid-key');
    return error.message;
  }
}

describe('requireKey', () => {
  it('counts bytes, not characters', () => {
    for (const longest of ['x'.repeat(255), `${'é'.repeat(127)}x`, `${'🗝'.repeat(63)}xyz`]) {
      assert.equal(complaint(longest), undefined);
      assert.match(complaint(`${longest}x`) ?? '', /has 256 bytes; at most 255/);
    }
    assert.match(complaint('') ?? '', /^keys\[0\] is empty/);
  });

  it('accepts every character except control characters and half surrogates', () => {
    for (const key of [' ', '/', '..', '%00', '"\\', '\u0080', '\ufeff', '\u{10ffff}']) {
      assert.equal(complaint(key), undefined, JSON.stringify(key));
    }
    for (const key of ['\u0000', 'a\nb', '\u001f', '\u007f', 'é\t']) {
      assert.match(complaint(key) ?? '', /control character/, JSON.stringify(key));
    }
    for (const key of ['\ud83d', 'a\udddd', '\udddd\ud83d']) {
      assert.match(complaint(key) ?? '', /half of a surrogate pair/, JSON.stringify(key));
    }
  });
});

describe('tooManyKeys', () => {
  it('reports the limit and how to change it', () => {
    assert.equal(tooManyKeys(7).slug, 'batch-too-large');
    assert.match(tooManyKeys(7).message, /more than 7 keys, .*\(--batch-keys\)/);
  });
});
