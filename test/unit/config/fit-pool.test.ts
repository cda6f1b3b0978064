import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fitPool } from '../../../src/config/files.ts';
import { gibibyte, mebibyte } from '../../../src/config/kinds.ts';

const machine = { totalBytes: 8 * gibibyte, sharedBytes: 4 * gibibyte };
const fit = (poolBytes: number, devices: number, memory = machine) =>
  fitPool({ poolBytes, devices: Array.from({ length: devices }, (_, id) => id) }, memory);

describe('the pool of the embedded engine', () => {
  it('is used as given if /dev/shm holds the segment of each device', () => {
    assert.deepEqual(fit(4 * gibibyte, 1), { poolBytes: 4 * gibibyte });
    assert.deepEqual(fit(gibibyte, 4), { poolBytes: gibibyte });
  });

  it('is used as given if there is no /dev/shm, which the engine reports', () => {
    const memory = { totalBytes: gibibyte, sharedBytes: undefined };
    assert.deepEqual(fitPool({ poolBytes: gibibyte, devices: [0] }, memory), {
      poolBytes: gibibyte,
    });
  });

  it('is smaller, with a warning, if /dev/shm is', () => {
    const one = fit(4 * gibibyte + mebibyte, 1);
    assert.ok('poolBytes' in one);
    assert.equal(one.poolBytes, 3840 * mebibyte);
    assert.match(
      String(one.warning),
      /^\/dev\/shm has 4GiB, less than 4097MiB, so 3840MiB is used/,
    );
    const two = fit(3 * gibibyte, 2);
    assert.ok('poolBytes' in two);
    assert.equal(two.poolBytes, 1920 * mebibyte);
    assert.match(String(two.warning), /less than 2 devices with 3GiB, so 1920MiB is used/);
  });

  it('has at least the smallest size, however small /dev/shm is', () => {
    const tiny = fit(gibibyte, 1, { totalBytes: 8 * gibibyte, sharedBytes: 65_536 });
    assert.ok('poolBytes' in tiny);
    assert.equal(tiny.poolBytes, mebibyte);
  });

  it('is half of the memory by default on a machine with less memory than the default', () => {
    const devices = [0, 1];
    const memory = { totalBytes: gibibyte, sharedBytes: gibibyte };
    assert.deepEqual(fitPool({ poolBytes: gibibyte, devices }, memory, false), {
      poolBytes: 256 * mebibyte,
    });
  });

  it('is refused if the machine has less memory', () => {
    assert.ok('poolBytes' in fit(8 * gibibyte, 1));
    const fault = fit(8 * gibibyte + mebibyte, 1);
    assert.ok('fault' in fault);
    assert.match(
      fault.fault,
      /^this machine has 8GiB of memory, less than 8193MiB; .* about 4GiB$/,
    );
    assert.ok('fault' in fit(3 * gibibyte, 3));
  });
});
