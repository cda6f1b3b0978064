import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ProblemError } from '../../../../src/errors/problems.ts';
import { decodeKey, encodeKey, parseTarget } from '../../../../src/http/request/target.ts';
import { MAX_KEY_BYTES } from '../../../../src/native/abi/limits.ts';
import { keyOfBytes, keys } from '../../../helpers/bodies/keys.ts';

const latin1 = (text: string): string => Buffer.from(text).toString('latin1');

function refuses(raw: string, detail: RegExp): void {
  assert.throws(
    () => decodeKey(raw),
    (error) =>
      error instanceof ProblemError && error.slug === 'invalid-key' && detail.test(error.message),
    JSON.stringify(raw),
  );
}

const percent = (...bytes: number[]): string =>
  bytes.map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');

describe('decodeKey', () => {
  it('decodes every key that encodeKey wrote, with any characters and any length', () => {
    fc.assert(
      fc.property(keys(), (key) => {
        assert.equal(decodeKey(encodeKey(key)), key);
      }),
      { numRuns: 2000 },
    );
  });

  it('decodes keys of each length from 1 to 255 bytes, whatever the size of their characters is', () => {
    for (let bytes = 1; bytes <= MAX_KEY_BYTES; bytes++) {
      for (const unit of ['a', 'é', '€', '😀']) {
        const key = keyOfBytes(bytes, unit);
        assert.equal(Buffer.byteLength(key), bytes);
        assert.equal(decodeKey(encodeKey(key)), key);
        assert.equal(decodeKey(latin1(key)), key, 'raw bytes, as node:http hands them on');
      }
    }
  });

  it('decodes every character of Unicode', () => {
    for (let point = 0x20; point <= 0x10ffff; point++) {
      if (point === 0x7f || (point >= 0xd800 && point <= 0xdfff)) continue;
      const key = String.fromCodePoint(point);
      if (decodeKey(encodeKey(key)) !== key) assert.fail(`U+${point.toString(16)}`);
    }
  });

  it('accepts every byte percent-encoded in either case, necessary or not', () => {
    assert.equal(decodeKey('%61%2f%2F%25%23%3f'), 'a//%#?');
    assert.equal(decodeKey('%E2%82%AC%e2%82%ac'), '€€');
    assert.equal(decodeKey('%2561'), '%61');
  });

  it('keeps slashes, dots, plus signs and a byte order mark', () => {
    for (const key of ['/', '//', 'a//b', '/a/', '.', '..', '../a', 'a/./b', 'a+b', '\uFEFFa']) {
      assert.equal(decodeKey(latin1(key)), key);
    }
  });

  it('accepts 255 bytes and refuses 256, plain, encoded and in wide characters', () => {
    for (const encode of [(key: string) => key, (key: string) => percent(...Buffer.from(key))]) {
      assert.equal(decodeKey(encode('k'.repeat(255))), 'k'.repeat(255));
      refuses(encode('k'.repeat(256)), /has 256 bytes; at most 255/);
    }
    assert.equal(decodeKey(encodeKey('€'.repeat(85))), '€'.repeat(85));
    refuses(encodeKey(`${'€'.repeat(85)}a`), /has 256 bytes/);
    refuses('k'.repeat(8000), /has 8000 bytes/);
  });

  it('refuses the empty key', () => refuses('', /empty/));

  it('refuses every control byte, raw and encoded, at every position', () => {
    for (const byte of [...Array(0x20).keys(), 0x7f]) {
      const detail = new RegExp(`control byte 0x${byte.toString(16).padStart(2, '0')}`);
      for (const at of [percent(byte), String.fromCharCode(byte)]) {
        refuses(at, detail);
        refuses(`a${at}`, detail);
        refuses(`${at}a`, detail);
      }
    }
  });

  it('refuses bytes that are not UTF-8', () => {
    const bad: Record<string, number[]> = {
      'a lone continuation byte': [0x80],
      'a sequence cut short': [0xe2, 0x82],
      'a sequence broken by ASCII': [0xe2, 0x82, 0x41],
      'an overlong slash': [0xc0, 0xaf],
      'an overlong NUL': [0xc0, 0x80],
      'an overlong slash of three bytes': [0xe0, 0x80, 0xaf],
      'an overlong slash of four bytes': [0xf0, 0x80, 0x80, 0xaf],
      'an encoded high surrogate': [0xed, 0xa0, 0x80],
      'an encoded low surrogate': [0xed, 0xbf, 0xbf],
      'a surrogate pair of three bytes each (CESU-8)': [0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80],
      'a code point above U+10FFFF': [0xf4, 0x90, 0x80, 0x80],
      'a byte that UTF-8 has not': [0xff],
    };
    for (const bytes of Object.values(bad)) {
      refuses(percent(...bytes), /not valid UTF-8/);
      refuses(`a/${percent(...bytes)}/b`, /not valid UTF-8/);
      refuses(String.fromCharCode(...bytes), /not valid UTF-8/);
    }
  });

  it('accepts exactly the byte strings that are valid UTF-8 without control bytes', () => {
    const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 8 }), (bytes) => {
        let expected: string | undefined;
        try {
          expected = strict.decode(bytes);
        } catch {
          expected = undefined;
        }
        if (bytes.some((byte) => byte < 0x20 || byte === 0x7f)) expected = undefined;
        if (expected === undefined) refuses(percent(...bytes), /UTF-8|control/);
        else assert.equal(decodeKey(percent(...bytes)), expected);
      }),
      { numRuns: 2000 },
    );
  });

  it('refuses a raw # and a % without two hexadecimal digits', () => {
    for (const raw of ['#', 'a#b', '%41#']) refuses(raw, /raw # /);
    for (const raw of ['%', '%4', 'a%', '%G1', '%1G', '%%41', '% 41', '%+1', '%-1', '%0x41']) {
      refuses(raw, /two hexadecimal digits/);
    }
  });
});

describe('encodeKey', () => {
  it('encodes keys so that a URL library decodes the same key', () => {
    const url = (key: string) => new URL(`/v1/objects/${encodeKey(key)}`, 'http://127.0.0.1');
    const check = (key: string) => {
      const { pathname, search, hash } = url(key);
      assert.equal(decodeKey(pathname.slice('/v1/objects/'.length)), key, encodeKey(key));
      assert.equal(search + hash, '');
    };
    for (const key of [
      'a/../b',
      '../a',
      'a/..',
      './a',
      'a/.',
      'a/./b',
      '..a',
      '...',
      '//',
      'a?b',
    ]) {
      check(key);
    }
    // No path through a URL library can name these two keys.
    fc.assert(
      fc.property(
        keys().filter((key) => key !== '.' && key !== '..'),
        check,
      ),
      { numRuns: 1000 },
    );
  });

  it('uses only visible ASCII, and keeps slashes readable', () => {
    fc.assert(fc.property(keys(), (key) => assert.match(encodeKey(key), /^[!-~]+$/)));
    assert.equal(encodeKey('kv/block-7'), 'kv/block-7');
    assert.equal(encodeKey('a b?%#é'), 'a%20b%3F%25%23%C3%A9');
  });
});

describe('parseTarget', () => {
  it('splits at the first question mark and decodes nothing', () => {
    assert.deepEqual(parseTarget('/v1/objects/a%2Fb?x=%31?y'), {
      path: '/v1/objects/a%2Fb',
      query: 'x=%31?y',
    });
    assert.deepEqual(parseTarget('/a'), { path: '/a', query: '' });
    assert.deepEqual(parseTarget('/a?'), { path: '/a', query: '' });
    assert.deepEqual(parseTarget('?a'), { path: '', query: 'a' });
  });

  it('keeps double slashes and dot segments', () => {
    for (const path of [
      '//',
      '//v1/objects/a',
      '/v1/objects//a',
      '/v1/objects/../a',
      '/.',
      '/..',
    ]) {
      assert.deepEqual(parseTarget(path), { path, query: '' });
    }
  });

  it('parses the absolute form', () => {
    const path = '/v1/objects/a';
    assert.deepEqual(parseTarget(`http://h:80${path}?x`), { path, query: 'x' });
    assert.deepEqual(parseTarget(`HTTPS://[::1]:80${path}`), { path, query: '' });
    assert.deepEqual(parseTarget(`foo://h${path}?x`), { path, query: 'x' });
    assert.deepEqual(parseTarget('http://h'), { path: '/', query: '' });
    assert.deepEqual(parseTarget('http://h?x'), { path: '/', query: 'x' });
    assert.deepEqual(parseTarget('http://h//a'), { path: '//a', query: '' });
  });

  it('does not change forms that name no resource', () => {
    for (const path of ['*', 'host:443', '://h/v1/objects/a', 'v1/objects/a', '']) {
      assert.deepEqual(parseTarget(path), { path, query: '' });
    }
  });
});
