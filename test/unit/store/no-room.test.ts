import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ProblemError } from '../../../src/errors/problems.ts';
import { problemOfCode } from '../../../src/store/engine-problem.ts';
import { explainNoRoom } from '../../../src/store/no-room.ts';

const noRoom = problemOfCode('write', -1, 'no-room');
const room = { capacityBytes: 1000, freeBytes: 100, evicts: false };
const explained = (neededBytes: number, more = {}, problem: ProblemError = noRoom) =>
  explainNoRoom(problem, neededBytes, () => ({ ...room, ...more }));

describe('a put without room', () => {
  it('may be retried only if an eviction can start', () => {
    assert.equal(explained(200).options.retryable, false);
    const evicting = explained(200, { evicts: true });
    assert.equal(evicting.options.retryable, true);
    assert.match(String(evicting.options.detail), /try again\.$/);
  });

  it('has the figures of the pool, and the code of the engine', () => {
    const { slug, options } = explained(200);
    assert.equal(slug, 'no-room');
    assert.equal(options.code, -1);
    assert.equal(options.name, 'MMC_ERROR');
    assert.deepEqual(options.members, { neededBytes: 200, freeBytes: 100, capacityBytes: 1000 });
  });

  it('has advice that depends on whether the free bytes would be enough', () => {
    assert.match(String(explained(101).options.detail), /store objects that fit the free bytes/);
    assert.match(String(explained(100).options.detail), /not in one piece/);
  });

  it('is too large for a pool of fewer bytes, and not for one of as many', () => {
    assert.equal(explained(1000).slug, 'no-room');
    const { slug, options } = explained(1001);
    assert.equal(slug, 'pool-too-small');
    assert.deepEqual(options.members, { limitBytes: 1000 });
  });

  it('keeps the reason of its cause, and gets figures of its own instead of those of another', () => {
    const cause = problemOfCode('write', -1, 'no-room', 'The existing object is smaller.');
    const first = explained(200, {}, cause);
    assert.match(
      String(first.options.detail),
      /^The existing object is smaller\. The put needs 200/,
    );
    assert.equal(explained(200, {}, first), first);
    const second = explained(300, {}, first);
    assert.match(String(second.options.detail), /^The put needs 300 bytes/);
    assert.equal(second.options.members?.['neededBytes'], 300);
  });

  it('is unchanged where the pool is not known, and so is every other problem', () => {
    assert.equal(
      explainNoRoom(noRoom, 1, () => undefined),
      noRoom,
    );
    const other = new ProblemError('object-exists');
    assert.equal(explained(1, {}, other), other);
  });
});
