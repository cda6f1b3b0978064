import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { describe, it } from 'node:test';
import { ProblemError } from '../../../../src/errors/problems.ts';
import {
  JSON_TYPE,
  MIXED_TYPE,
  negotiate,
  parseMediaType,
  parseParameters,
  requireMediaType,
  SAFETENSORS_TYPE,
} from '../../../../src/http/request/media-type.ts';

const request = (headers: Record<string, string>): IncomingMessage =>
  ({ headers }) as unknown as IncomingMessage;

function problemOf(work: () => unknown): ProblemError {
  try {
    work();
  } catch (error) {
    if (error instanceof ProblemError) return error;
    throw error;
  }
  return assert.fail('nothing was thrown');
}

describe('parseMediaType', () => {
  const read = (header: string) => {
    const found = parseMediaType(header);
    return found && [found.type, Object.fromEntries(found.parameters)];
  };

  it('parses type and parameters, with names in lower case and values unchanged', () => {
    assert.deepEqual(read('Application/JSON'), ['application/json', {}]);
    assert.deepEqual(read(' text/plain ; Charset=UTF-8 ;'), ['text/plain', { charset: 'UTF-8' }]);
    assert.deepEqual(read('a/b;c=d;c=e; f="g;h"'), ['a/b', { c: 'd', f: 'g;h' }]);
    assert.deepEqual(read('a/b; c=""; d="\\"\\\\\\x"'), ['a/b', { c: '', d: '"\\\\x' }]);
  });

  it('refuses an invalid media type', () => {
    for (const header of [
      '',
      'json',
      'a/',
      '/b',
      'a/b c',
      'a/b; c',
      'a/b; c=',
      'a/b; c="d',
      'a b/c',
    ]) {
      assert.equal(read(header), undefined, header);
    }
  });
});

describe('parseParameters', () => {
  it('starts at the given position, and needs no parameter', () => {
    assert.deepEqual(parseParameters('form-data; name=a', 9), new Map([['name', 'a']]));
    assert.deepEqual(parseParameters('form-data', 9), new Map());
    assert.equal(parseParameters('form-data name=a', 9), undefined);
  });

  it('is fast on endless input', () => {
    const hostile = `; a="${'\\"'.repeat(8000)}`;
    assert.equal(parseParameters(hostile, 0), undefined);
    assert.equal(parseParameters('; \t'.repeat(5000), 0)?.size, 0);
  });
});

describe('requireMediaType', () => {
  const require = (header: string | undefined) =>
    requireMediaType(request(header === undefined ? {} : { 'content-type': header }), [JSON_TYPE]);

  it('accepts the listed types, with no charset but UTF-8', () => {
    for (const header of [
      JSON_TYPE,
      'application/json; charset=utf-8',
      'APPLICATION/json;charset="UTF8"',
    ]) {
      assert.equal(require(header).type, JSON_TYPE);
    }
  });

  it('refuses any other type and lists the accepted ones, without printing raw input', () => {
    for (const header of [
      undefined,
      '',
      'text/json',
      'application/json; charset=latin1',
      'a\u0001b',
    ]) {
      const { slug, options, message } = problemOf(() => require(header));
      assert.equal(slug, 'unsupported-media-type');
      assert.equal(options.headers?.['Accept-Post'], JSON_TYPE);
      assert.doesNotMatch(message, /\p{Cc}/u);
    }
  });
});

describe('negotiate', () => {
  const offered = [JSON_TYPE, MIXED_TYPE, SAFETENSORS_TYPE] as const;
  const chosen = (accept?: string) =>
    negotiate(request(accept === undefined ? {} : { accept }), [...offered]);

  it('chooses the first type without a preference, otherwise the preferred one', () => {
    assert.equal(chosen(), JSON_TYPE);
    assert.equal(chosen('*/*'), JSON_TYPE);
    assert.equal(chosen(MIXED_TYPE), MIXED_TYPE);
    assert.equal(chosen('multipart/*'), MIXED_TYPE);
    assert.equal(chosen(`${JSON_TYPE};q=0.1, ${SAFETENSORS_TYPE}`), SAFETENSORS_TYPE);
    assert.equal(chosen(`*/*;q=0.1, ${JSON_TYPE};q=0, ${MIXED_TYPE}`), MIXED_TYPE);
  });

  it('refuses if none of the types is acceptable', () => {
    for (const accept of ['text/html', '*/*;q=0', '', 'nonsense', `${JSON_TYPE};q=0`]) {
      assert.equal(problemOf(() => chosen(accept)).slug, 'not-acceptable', accept);
    }
  });
});
