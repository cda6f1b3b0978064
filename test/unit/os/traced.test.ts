import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isTraced, startsInspected } from '../../../src/os/traced.ts';

describe('a process', () => {
  it('without a tracer, or that has ended, is not traced', () => {
    assert.equal(isTraced(process.pid), false);
    assert.equal(isTraced(2 ** 22 + 1), false);
  });

  it('is inspected from the start by its flags or by NODE_OPTIONS', () => {
    assert.equal(startsInspected([], {}), false);
    assert.equal(startsInspected(['--import', 'tsx'], { NODE_OPTIONS: '--no-warnings' }), false);
    assert.equal(startsInspected(['--inspect-brk=0'], {}), true);
    assert.equal(startsInspected([], { NODE_OPTIONS: '--no-warnings --inspect' }), true);
  });
});
