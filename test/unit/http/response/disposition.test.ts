import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { attachment } from '../../../../src/http/response/disposition.ts';

const nameOf = (value: string): string | undefined =>
  /^attachment; filename="([^"]*)"/.exec(value)?.[1];

describe('attachment', () => {
  it('names the file like the last segment of the key', () => {
    for (const [key, name] of [
      ['block-7', 'block-7'],
      ['kv/block-7', 'block-7'],
      ['kv/block-7//', 'block-7'],
      ['/', 'object'],
      ['model@v1=a.bin', 'model@v1=a.bin'],
    ] as const) {
      assert.equal(attachment(key), `attachment; filename="${name}"`, key);
    }
  });

  it('adds the extension to the name', () => {
    assert.equal(nameOf(attachment('batch', '.safetensors')), 'batch.safetensors');
    assert.equal(nameOf(attachment('kv/block-7', '.layer-61')), 'block-7.layer-61');
  });

  it('cuts a name that no file system would accept, but not its extension', () => {
    const longest = 'k'.repeat(255);
    assert.equal(nameOf(attachment(longest)), longest);
    assert.equal(nameOf(attachment(longest, '.layer-61')), `${'k'.repeat(246)}.layer-61`);
    const [, extended = ''] =
      /filename\*=UTF-8''(.*)$/.exec(attachment('é'.repeat(127), '.safetensors')) ?? [];
    assert.equal(decodeURIComponent(extended), `${'é'.repeat(121)}.safetensors`);
  });

  it('replaces characters that a header or a file system treats specially', () => {
    for (const [key, name] of [
      ['..', '_.'],
      ['kv/.profile', '_profile'],
      ['a"b\\c', 'a_b_c'],
      ['c:x;y%z*?', 'c_x_y_z__'],
      ['two words', 'two_words'],
    ] as const) {
      assert.equal(attachment(key), `attachment; filename="${name}"`, key);
    }
  });

  it('has a second form for names beyond ASCII, without characters that hide an extension', () => {
    assert.equal(
      attachment("prompt/über'x"),
      `attachment; filename="_ber'x"; filename*=UTF-8''%C3%BCber%27x`,
    );
    assert.equal(
      attachment('a\u202etxt.exe'),
      `attachment; filename="a_txt.exe"; filename*=UTF-8''a_txt.exe`,
    );
    assert.match(attachment('日本/語.bin'), /filename\*=UTF-8''%E8%AA%9E\.bin$/);
  });

  it('is a header of one line for every key, and its name is never a path', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 255 }), (key) => {
        const value = attachment(key);
        assert.match(value, /^[ -~]+$/);
        const name = nameOf(value) ?? '';
        assert.match(name, /^[^./\\][^/\\]*$/);
        const [, extended] = /; filename\*=UTF-8''(.*)$/.exec(value) ?? [];
        if (extended !== undefined) assert.match(decodeURIComponent(extended), /^[^./\\][^/\\]*$/u);
      }),
    );
  });
});
