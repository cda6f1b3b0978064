import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { remembered } from '../../../../src/store/pool/remembered.ts';
import { until } from '../../../helpers/process/until.ts';

describe('remembered', () => {
  it('loads once for calls at the same time and within the time, and again after it', async () => {
    let loads = 0;
    const load = remembered(20, () => Promise.resolve(++loads));
    assert.deepEqual(await Promise.all([load(), load()]), [1, 1]);
    await until(async () => (await load()) === 2);
    const lasting = remembered(60_000, () => Promise.resolve(++loads));
    assert.equal(await lasting(), await lasting());
  });

  it('repeats a failure within the time', async () => {
    let loads = 0;
    const load = remembered(60_000, () => Promise.reject(new Error(String(++loads))));
    await assert.rejects(load(), /1/);
    await assert.rejects(load(), /1/);
    assert.equal(loads, 1);
  });
});
