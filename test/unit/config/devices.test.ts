import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { devices } from '../../../src/config/devices.ts';

const { read, write } = devices();

const devicesOf = (text: string): readonly number[] => {
  const reading = read(text);
  return 'value' in reading ? reading.value : assert.fail(reading.fault);
};
const faultOf = (text: string): string => {
  const reading = read(text);
  return 'fault' in reading ? reading.fault : assert.fail(`${text} is taken`);
};

describe('a list of devices', () => {
  it('consists of numbers and ranges, in any order', () => {
    assert.deepEqual(devicesOf('0'), [0]);
    assert.deepEqual(devicesOf('0-3'), [0, 1, 2, 3]);
    assert.deepEqual(devicesOf('5,0, 2'), [0, 2, 5]);
    assert.deepEqual(devicesOf('6-7,0-1,383'), [0, 1, 6, 7, 383]);
    assert.deepEqual(devicesOf('4-4'), [4]);
  });

  it('names each device once', () => {
    assert.match(faultOf('0,0'), /names device 0 twice/);
    assert.match(faultOf('0-3,2'), /names device 2 twice/);
  });

  it('has devices from 0 to 383, and at most 64 of them', () => {
    assert.equal(devicesOf('320-383').length, 64);
    assert.match(faultOf('320-384'), /320-384 is out of range; give devices from 0 to 383/);
    assert.match(faultOf('384'), /out of range/);
    assert.match(faultOf('384-1'), /out of range/);
    assert.match(faultOf('0-64'), /names 65 devices; give at most 64/);
    assert.match(faultOf('0-999999999999999'), /out of range/);
  });

  it('has no other form, and the fault says what is accepted', () => {
    for (const text of ['', ',', '0,', '0,,1', '-1', '0-', '1.5', 'x', '0x1', '+1', '٣', 'all']) {
      assert.match(faultOf(text), /is no list of devices; .*: 0-7, or 0,2,5/, text);
    }
    assert.match(faultOf('3-1'), /the range 3-1 runs backwards; write 1-3/);
  });

  it('is written in its shortest form', () => {
    for (const [text, written] of [
      ['0,1,2,3', '0-3'],
      ['5,0,2', '0,2,5'],
      ['7,6,0,1', '0-1,6-7'],
      ['383', '383'],
    ] as const) {
      assert.equal(write(devicesOf(text)), written);
    }
  });

  it('parses its own output', () => {
    const lists = fc.uniqueArray(fc.nat(383), { minLength: 1, maxLength: 64 });
    fc.assert(
      fc.property(lists, (list) => {
        const ascending = list.sort((a, b) => a - b);
        assert.deepEqual(devicesOf(write(ascending)), ascending);
      }),
    );
  });
});
