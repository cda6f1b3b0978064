import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { describe, it } from 'node:test';
import { ProblemError } from '../../../../src/errors/problems.ts';
import { prefersHtml, requireAcceptable } from '../../../../src/http/request/media-type.ts';

const request = (accept: string | undefined) =>
  ({ headers: accept === undefined ? {} : { accept } }) as IncomingMessage;

describe('requireAcceptable', () => {
  it('accepts a request that names the type, a wildcard, or nothing', () => {
    const accepted = ['*/*', 'application/*', 'application/octet-stream', 'text/html, */*;q=0.1'];
    for (const accept of [undefined, ...accepted, 'APPLICATION/OCTET-STREAM;q=0.001']) {
      requireAcceptable(request(accept), 'application/octet-stream');
    }
  });

  it('refuses a request that accepts only other types, or gives this one weight 0', () => {
    const zero = ['application/octet-stream;q=0', '*/*;q=0', '*/*, application/octet-stream;q=0'];
    for (const accept of ['text/html', 'image/*', 'application/json', 'nonsense', ...zero]) {
      assert.throws(
        () => requireAcceptable(request(accept), 'application/octet-stream'),
        (error) => error instanceof ProblemError && error.slug === 'not-acceptable',
        accept,
      );
    }
  });
});

describe('prefersHtml', () => {
  it('distinguishes a browser from a program', () => {
    const browser = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';
    for (const accept of [browser, 'text/html', 'text/html, application/json;q=0.9']) {
      assert.equal(prefersHtml(request(accept)), true, accept);
    }
    for (const accept of [undefined, '*/*', 'application/json', 'text/html;q=0.5, */*']) {
      assert.equal(prefersHtml(request(accept)), false, accept);
    }
  });
});
