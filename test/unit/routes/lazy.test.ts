import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { lazy } from '../../../src/routes/lazy.ts';

describe('lazy', () => {
  it('loads on the first call, once for all callers', async () => {
    let loads = 0;
    const get = lazy(async () => ++loads);
    assert.equal(loads, 0);
    assert.deepEqual(await Promise.all([get(), get()]), [1, 1]);
    assert.equal(await get(), 1);
  });

  it('retries after a failure, which all waiting callers get', async () => {
    let loads = 0;
    const get = lazy(async () => {
      loads += 1;
      if (loads === 1) throw new Error('too many open files');
      return loads;
    });
    const results = await Promise.allSettled([get(), get()]);
    assert.deepEqual(
      results.map(({ status }) => status),
      ['rejected', 'rejected'],
    );
    assert.equal(await get(), 2);
    assert.equal(await get(), 2);
  });
});
