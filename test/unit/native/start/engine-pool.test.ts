import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { joinPool } from '../../../../src/native/start/engine-pool.ts';
import type { EngineLibrary } from '../../../../src/native/start/library.ts';
import { Opening } from '../../../../src/native/start/opening.ts';

type Done = (error: unknown, code: number) => void;

/** An engine whose calls are recorded and succeed, but for the one of this name, which cannot be made. */
function engineWithout(broken?: string) {
  const calls: string[] = [];
  const names = ['mmc_set_log_level', 'mmc_init', 'mmcc_local_service_id', 'mmc_uninit'];
  const functions = names.map((name) => {
    const async = (...args: unknown[]): void => {
      calls.push(name);
      if (name === broken) throw new Error(`${name} cannot be called`);
      setImmediate(args.at(-1) as Done, null, 0);
    };
    return [name, Object.assign(() => 0, { async })];
  });
  const library = { nonblocking: true, functions: Object.fromEntries(functions) as unknown };
  return { calls, opening: new Opening(library as EngineLibrary, () => undefined) };
}

describe('a member of a pool', () => {
  it('is one from mmc_init on: it leaves when the call for its service id fails', async () => {
    const { calls, opening } = engineWithout('mmcc_local_service_id');
    const member = await joinPool(opening, 0);
    await assert.rejects(member.findServiceId(), /cannot be called/);
    assert.equal(await member.leave(), true);
    assert.deepEqual(calls.slice(1), ['mmc_init', 'mmcc_local_service_id', 'mmc_uninit']);
  });

  it('says that it has left once the engine was uninitialised, and not while a call is in flight', async () => {
    const { calls, opening } = engineWithout();
    const member = await joinPool(opening, 0);
    let left = 0;
    member.onLeft = () => {
      left += 1;
    };
    member.busy = () => true;
    assert.equal(await member.leave(), false);
    assert.deepEqual([left, calls.includes('mmc_uninit')], [0, false]);
    member.busy = () => false;
    assert.equal(await member.leave(), true);
    assert.equal(left, 1);
  });

  it('has not left when the engine could not be uninitialised', async () => {
    const { opening } = engineWithout('mmc_uninit');
    const member = await joinPool(opening, 0);
    member.onLeft = () => assert.fail('the engine still uses its memory');
    assert.equal(await member.leave(10), false);
  });
});
