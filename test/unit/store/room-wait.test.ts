import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RoomWait } from '../../../src/store/room-wait.ts';

const present = { destroyed: false };

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
    await wait.retry(100, present, attempt);
    assert.deepEqual([made(), wait.heldBytes], [4, 0]);
  });

  it('ends when its time is over', async () => {
    const { made, attempt } = attempts();
    await new RoomWait(100, 100).retry(1, present, attempt);
    assert.ok(made() >= 1 && made() <= 6, `${made()} attempts`);
    const never = attempts();
    await new RoomWait(0, 100).retry(1, present, never.attempt);
    assert.equal(never.made(), 0);
  });

  it('does not wait where the values that wait would hold more than the limit', async () => {
    const wait = new RoomWait(60_000, 100);
    let succeeds = false;
    const first = wait.retry(60, present, () => Promise.resolve(succeeds));
    const beyond = attempts();
    await wait.retry(41, present, beyond.attempt);
    assert.equal(beyond.made(), 0);
    const within = wait.retry(40, present, () => Promise.resolve(succeeds));
    assert.equal(wait.heldBytes, 100);
    assert.deepEqual([wait.waiting, wait.waits], [2, 2]);
    succeeds = true;
    await Promise.all([first, within]);
    assert.equal(wait.heldBytes, 0);
  });

  it('ends when its client disconnects, or when the gateway shuts down', async () => {
    const wait = new RoomWait(60_000, 100);
    const client = { destroyed: false };
    const left = wait.retry(50, client, () => {
      client.destroyed = true;
      return Promise.resolve(false);
    });
    const drained = wait.retry(50, present, () => Promise.resolve(false));
    await left;
    assert.equal(wait.heldBytes, 50);
    wait.end();
    await drained;
    assert.equal(wait.heldBytes, 0);
    const late = attempts();
    await wait.retry(1, present, late.attempt);
    assert.equal(late.made(), 0);
  });

  it('gives its share back when an attempt fails', async () => {
    const wait = new RoomWait(60_000, 100);
    await assert.rejects(
      wait.retry(100, present, () => Promise.reject(new Error('engine'))),
      /engine/,
    );
    assert.equal(wait.heldBytes, 0);
  });
});
