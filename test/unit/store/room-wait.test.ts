import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RoomWait } from '../../../src/store/room-wait.ts';

/** An attempt that succeeds at the given call, or never. */
function attempts(succeedsAt = Number.POSITIVE_INFINITY) {
  let made = 0;
  return {
    made: () => made,
    attempt: () => {
      made += 1;
      return Promise.resolve(made >= succeedsAt);
    },
  };
}

describe('a put that waits for room', () => {
  it('is tried again until it succeeds', async () => {
    const wait = new RoomWait(60_000, 100);
    const { made, attempt } = attempts(4);
    await wait.retry(100, attempt);
    assert.deepEqual([made(), wait.heldBytes], [4, 0]);
  });

  it('ends when its time is over', async () => {
    const { made, attempt } = attempts();
    await new RoomWait(100, 100).retry(1, attempt);
    assert.ok(made() >= 1 && made() <= 6, `${made()} attempts`);
    const never = attempts();
    await new RoomWait(0, 100).retry(1, never.attempt);
    assert.equal(never.made(), 0);
  });

  it('does not wait where the values that wait would hold more than the limit', async () => {
    const wait = new RoomWait(60_000, 100);
    let succeeds = false;
    const first = wait.retry(60, () => Promise.resolve(succeeds));
    const beyond = attempts();
    await wait.retry(41, beyond.attempt);
    assert.equal(beyond.made(), 0);
    const within = wait.retry(40, () => Promise.resolve(succeeds));
    assert.equal(wait.heldBytes, 100);
    succeeds = true;
    await Promise.all([first, within]);
    assert.equal(wait.heldBytes, 0);
  });

  it('gives its share back when an attempt fails', async () => {
    const wait = new RoomWait(60_000, 100);
    await assert.rejects(
      wait.retry(100, () => Promise.reject(new Error('engine'))),
      /engine/,
    );
    assert.equal(wait.heldBytes, 0);
  });
});
