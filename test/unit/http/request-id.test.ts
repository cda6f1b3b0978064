import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { requestIdOf } from '../../../src/http/request-id.ts';

describe('requestIdOf', () => {
  it('keeps what the client sent when it is safe in a log line', () => {
    for (const id of ['a', '01JD8Z7Q4M6W', 'a._~:b+/=@-c', 'x'.repeat(128)]) {
      assert.equal(requestIdOf(id), id);
    }
  });

  it('makes one up for what is absent, empty, too long, unsafe or given twice', () => {
    const unsafe = ['', 'x'.repeat(129), 'a b', 'a\nb', 'é', '"a"', '{}', 'a,b', '\u0000', 'a%20'];
    for (const id of [undefined, ['a', 'b'], ...unsafe]) {
      const made = requestIdOf(id);
      assert.notEqual(made, id);
      assert.match(made, /^[A-Za-z0-9_-]{9,40}$/);
    }
  });

  it('makes up a new one each time', () => {
    const made = new Set(Array.from({ length: 10_000 }, () => requestIdOf(undefined)));
    assert.equal(made.size, 10_000);
  });
});
