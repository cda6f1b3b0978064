import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { requestIdOf } from '../../../../src/http/request/request-id.ts';

describe('requestIdOf', () => {
  it('keeps the id of the client if it is safe in a log line', () => {
    for (const id of ['a', '01JD8Z7Q4M6W', 'a._~:b+/=@-c', 'x'.repeat(128)]) {
      assert.equal(requestIdOf(id), id);
    }
  });

  it('generates an id if it is absent, empty, too long, unsafe or duplicate', () => {
    const unsafe = ['', 'x'.repeat(129), 'a b', 'a\nb', 'é', '"a"', '{}', 'a,b', '\u0000', 'a%20'];
    for (const id of [undefined, ['a', 'b'], ...unsafe]) {
      const made = requestIdOf(id);
      assert.notEqual(made, id);
      assert.match(made, /^[A-Za-z0-9_-]{9,40}$/);
    }
  });

  it('generates a new id each time', () => {
    const made = new Set(Array.from({ length: 10_000 }, () => requestIdOf(undefined)));
    assert.equal(made.size, 10_000);
  });
});
