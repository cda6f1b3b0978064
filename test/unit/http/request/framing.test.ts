import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { describe, it } from 'node:test';
import { ProblemError } from '../../../../src/errors/problems.ts';
import { announcedLength, refuseEncodings } from '../../../../src/http/request/framing.ts';

const request = (headers: Record<string, string>) => ({ headers }) as unknown as IncomingMessage;

function slugOf(headers: Record<string, string>): string | undefined {
  try {
    refuseEncodings(request(headers));
    return undefined;
  } catch (error) {
    if (error instanceof ProblemError) return error.slug;
    throw error;
  }
}

describe('refuseEncodings', () => {
  it('accepts a raw body, chunked or not', () => {
    assert.equal(slugOf({}), undefined);
    assert.equal(slugOf({ 'content-encoding': 'Identity' }), undefined);
    assert.equal(slugOf({ 'transfer-encoding': 'Chunked' }), undefined);
  });

  it('refuses every other content coding, and names the accepted one', () => {
    for (const coding of ['gzip', 'identity, gzip', 'identity, identity']) {
      assert.equal(slugOf({ 'content-encoding': coding }), 'unsupported-content-coding');
    }
    assert.throws(
      () => refuseEncodings(request({ 'content-encoding': 'br' })),
      (error) =>
        error instanceof ProblemError && error.options.headers?.['Accept-Encoding'] === 'identity',
    );
  });

  it('refuses a Content-Range, and other transfer codings', () => {
    assert.equal(slugOf({ 'content-range': 'bytes 0-1/2' }), 'invalid-parameter');
    for (const coding of ['gzip', 'gzip, chunked', 'chunked, chunked', '']) {
      assert.equal(slugOf({ 'transfer-encoding': coding }), 'not-implemented');
    }
  });
});

describe('announcedLength', () => {
  it('is the Content-Length, 0 without a body, and undefined for a chunked body', () => {
    assert.equal(announcedLength(request({ 'content-length': '7' })), 7);
    assert.equal(announcedLength(request({})), 0);
    assert.equal(announcedLength(request({ 'transfer-encoding': 'chunked' })), undefined);
  });
});
