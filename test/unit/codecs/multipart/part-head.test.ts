import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readPartHead } from '../../../../src/codecs/multipart/part-head.ts';
import { ProblemError } from '../../../../src/errors/problems.ts';

/** Like the parser returns it: bytes of UTF-8 as latin1. */
const latin1 = (text: string): string => Buffer.from(text).toString('latin1');
const head = (disposition: string, length?: string) =>
  readPartHead(
    {
      'content-disposition': [disposition],
      ...(length === undefined ? {} : { 'content-length': [length] }),
    },
    3,
  );

function fault(...given: Parameters<typeof head>): string {
  try {
    head(...given);
  } catch (error) {
    if (error instanceof ProblemError) return `${error.slug}: ${error.message}`;
    throw error;
  }
  return assert.fail(`${given.join()} was taken`);
}

describe('readPartHead', () => {
  it('uses the name as the key, in any style, with or without a file name', () => {
    for (const [disposition, key] of [
      ['form-data; name="a"', 'a'],
      ['Form-Data;NAME=a', 'a'],
      [' form-data ; filename="name=x; b.bin"; name="kv/1"', 'kv/1'],
      ['form-data; name="a b; c"; filename*=UTF-8\'\'x', 'a b; c'],
      [latin1('form-data; name="é🗝"'), 'é🗝'],
      ['form-data; name="%22%41"', '"%41'],
      ['form-data; name="\\"\\\\"', '"\\'],
      ['form-data; name="a"; name="b"', 'a'],
    ] as const) {
      assert.deepEqual(head(disposition), { key, bytes: undefined }, disposition);
    }
  });

  it('refuses a part that is no form-data, or has no name', () => {
    for (const disposition of [
      '',
      'form-data',
      'form-data;',
      'form-data; filename="a"',
      'form-data; name="a',
      'form-data; name=a b',
      'attachment; name="a"',
      'x-form-data; name="a"',
    ]) {
      assert.match(fault(disposition), /^invalid-body: Part 3 of the body has no Content-Disp/);
    }
    assert.throws(() => readPartHead({}, 1), /Part 1 of the body has no Content-Disposition/);
  });

  it('refuses a name that is an invalid key', () => {
    assert.match(fault('form-data; name=""'), /^invalid-key: The name of part 3 is empty/);
    assert.match(fault(`form-data; name="${'x'.repeat(256)}"`), /^invalid-key: .* 256 bytes/);
    assert.match(fault('form-data; name="a\u0001"'), /^invalid-key: .* control character/);
    assert.match(fault('form-data; name="\u00e9"'), /^invalid-body: .* not UTF-8/);
    assert.match(fault(`form-data; name="${latin1('é').slice(0, 1)}"`), /not UTF-8/);
  });

  it('returns the length that the part announces, if it is valid', () => {
    const named = 'form-data; name="a"';
    assert.equal(head(named, '0').bytes, 0);
    assert.equal(head(named, '007').bytes, 7);
    assert.equal(head(named, '999999999999999').bytes, 999_999_999_999_999);
    for (const length of ['', '-1', '+1', '1.0', '1e3', '0x10', ' 1', '1, 1', '1'.repeat(16)]) {
      assert.match(fault(named, length), /^invalid-body: .* Content-Length that is not a number/);
    }
  });
});
