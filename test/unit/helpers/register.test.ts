import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { absent, type State } from '../../model/model.ts';
import { impossibleRead, type Read, type Write } from '../../model/register.ts';

const one = { version: 1, length: 1 };
const two = { version: 2, length: 1 };
const three = { version: 3, length: 1 };

const write = (state: State, beganMs: number, endedMs: number): Write => ({
  state,
  beganMs,
  endedMs,
});
const read = (saw: State | undefined, beganMs: number, endedMs: number): Read => ({
  saw,
  beganMs,
  endedMs,
});

describe('the checker of the results for one key', () => {
  const writes = [write(one, 10, 20), write(two, 30, 40), write(absent, 50, 60)];

  it('accepts each state that was possible at some moment of a read', () => {
    const reads = [
      read(absent, 0, 5),
      read(absent, 12, 18),
      read(one, 12, 18),
      read(one, 25, 26),
      read(one, 31, 39),
      read(absent, 32, 39),
      read(two, 33, 39),
      read(two, 20, 35),
      read(absent, 55, 70),
    ];
    for (const each of reads) assert.equal(impossibleRead(writes, [each]), undefined);
  });

  it('refuses a value that was replaced or removed before the read began', () => {
    for (const stale of [read(one, 41, 45), read(two, 61, 62), read(absent, 21, 22)]) {
      assert.equal(impossibleRead(writes, [stale]), stale);
    }
  });

  it('refuses a value from the future, and bytes that no client has written', () => {
    for (const each of [read(two, 21, 29), read(undefined, 21, 29), read(three, 0, 100)]) {
      assert.equal(impossibleRead(writes, [each]), each);
    }
  });

  it('refuses a read that goes back to before another one that ended earlier', () => {
    const newer = read(two, 31, 33);
    assert.equal(impossibleRead(writes, [newer, read(one, 32, 39)]), undefined);
    const older = read(one, 34, 39);
    assert.equal(impossibleRead(writes, [older, newer]), older);
  });

  it('accepts a missing object while a value is replaced, but not after the new one was seen', () => {
    const nothing = read(absent, 36, 39);
    assert.equal(impossibleRead(writes, [nothing, read(two, 37, 39)]), undefined);
    assert.equal(impossibleRead(writes, [read(two, 31, 35), nothing]), nothing);
  });
});
