import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ProblemError } from '../../../src/errors.ts';
import { announcedLength, refuseCodings } from '../../../src/http/codings.ts';
import type { Exchange } from '../../../src/http/exchange.ts';

const exchange = (headers: Record<string, string>): Exchange =>
  ({ req: { headers } }) as unknown as Exchange;

function slugOf(headers: Record<string, string>): string | undefined {
  try {
    refuseCodings(exchange(headers));
    return undefined;
  } catch (error) {
    if (error instanceof ProblemError) return error.slug;
    throw error;
  }
}

describe('refuseCodings', () => {
  it('takes a body as it is, chunked or not', () => {
    assert.equal(slugOf({}), undefined);
    assert.equal(slugOf({ 'content-encoding': 'Identity' }), undefined);
    assert.equal(slugOf({ 'transfer-encoding': 'Chunked' }), undefined);
  });

  it('refuses every other content coding, and says which one it takes', () => {
    for (const coding of ['gzip', 'identity, gzip', 'identity, identity']) {
      assert.equal(slugOf({ 'content-encoding': coding }), 'unsupported-content-coding');
    }
    assert.throws(
      () => refuseCodings(exchange({ 'content-encoding': 'br' })),
      (error) =>
        error instanceof ProblemError && error.options.headers?.['Accept-Encoding'] === 'identity',
    );
  });

  it('refuses a part of an object, and other transfer codings', () => {
    assert.equal(slugOf({ 'content-range': 'bytes 0-1/2' }), 'invalid-parameter');
    for (const coding of ['gzip', 'gzip, chunked', 'chunked, chunked', '']) {
      assert.equal(slugOf({ 'transfer-encoding': coding }), 'not-implemented');
    }
  });
});

describe('announcedLength', () => {
  it('is what Content-Length says, 0 without a body, and unknown of a chunked one', () => {
    assert.equal(announcedLength(exchange({ 'content-length': '7' })), 7);
    assert.equal(announcedLength(exchange({})), 0);
    assert.equal(announcedLength(exchange({ 'transfer-encoding': 'chunked' })), undefined);
  });
});
