import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { describe, it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { EngineDeadlineError } from '../../../src/native/abi/errors.ts';
import type { Block } from '../../../src/native/abi/types.ts';
import type { Caller } from '../../../src/scheduler/arena-room.ts';
import { NEXT_READ_MS, SingleFlight } from '../../../src/store/single-flight.ts';
import { countingArena } from '../../helpers/engine/scripted-engine.ts';
import { createManualClock } from '../../helpers/process/manual-clock.ts';

const deadlineMs = 1000;

class Client extends EventEmitter {
  destroyed = false;
  leave(): void {
    this.destroyed = true;
    this.emit('close');
  }
}

interface UnderWay {
  readonly caller: Caller;
  readonly deferred: boolean;
  finish(): void;
  fail(error?: Error): void;
}

/** Reads that stay in flight until the test ends them. */
function scene() {
  const arena = countingArena();
  const clock = createManualClock();
  const flights = new SingleFlight({ deadlineMs, clock });
  const reads: UnderWay[] = [];
  const read = (caller: Caller, deferred: boolean): Promise<Block> =>
    new Promise((resolve, reject) => {
      reads.push({
        caller,
        deferred,
        finish: () => resolve(arena.tryAllocate(8) as Block),
        fail: (error = new Error('no')) => reject(error),
      });
    });
  const join = (caller?: Caller): Promise<Block> => flights.join('a', caller, read);
  const at = (index: number): UnderWay => {
    const found = reads[index];
    assert.ok(found, `read ${index} has not begun`);
    return found;
  };
  /** Ends a read, and lets its outcome take effect. */
  const finish = async (index: number): Promise<void> => {
    at(index).finish();
    await nextTurn();
  };
  return { arena, clock, flights, reads, read, join, at, finish };
}

const isOpen = async (promise: Promise<unknown>): Promise<boolean> =>
  (await Promise.race([promise.catch(() => undefined), nextTurn('open')])) === 'open';

describe('requests that arrive while a read of their object is in flight', () => {
  it('share the next read, which begins when the first ends', async () => {
    const { arena, flights, reads, join, at, finish, clock } = scene();
    const first = join();
    const later = [1, 2, 3].map(() => join(new Client()));
    assert.equal(reads.length, 1);
    assert.equal(at(0).deferred, false);
    await finish(0);
    (await first).release();
    for (const each of later) assert.ok(await isOpen(each), 'it got bytes read before it came');
    assert.equal(reads.length, 2);
    assert.equal(at(1).deferred, true);
    await finish(1);
    const blocks = await Promise.all(later);
    assert.equal(flights.joined, 2);
    for (const block of blocks) {
      assert.equal(arena.used, 1);
      block.release();
    }
    assert.equal(arena.used, 0);
    assert.equal(clock.pending, 0);
  });

  it('do not join the next read after it has begun', async () => {
    const { reads, join, finish } = scene();
    const blocks = [join(), join()];
    await finish(0);
    const last = join();
    assert.equal(reads.length, 2);
    await finish(1);
    assert.ok(await isOpen(last));
    assert.equal(reads.length, 3);
    await finish(2);
    for (const block of [...blocks, last]) (await block).release();
  });

  it(`start their read after ${NEXT_READ_MS} ms at the latest, and not a millisecond earlier`, async () => {
    const { clock, reads, join, finish, arena } = scene();
    const first = join();
    clock.advance(10);
    const second = join();
    clock.advance(NEXT_READ_MS - 1);
    const third = join();
    assert.equal(reads.length, 1);
    clock.advance(1);
    assert.equal(reads.length, 2);
    await finish(1);
    for (const block of await Promise.all([second, third])) block.release();
    await finish(0);
    (await first).release();
    assert.equal(arena.used, 0);
  });

  it('have at most two reads in flight, however long these take', async () => {
    const { clock, reads, join, finish } = scene();
    const asked = [join(), join()];
    clock.advance(NEXT_READ_MS);
    asked.push(join(), join());
    clock.advance(deadlineMs / 2);
    assert.equal(reads.length, 2);
    await finish(1);
    assert.equal(reads.length, 3);
    asked.push(join());
    clock.advance(2 * NEXT_READ_MS);
    assert.equal(reads.length, 3);
    await finish(2);
    assert.equal(reads.length, 4);
    await finish(3);
    await finish(0);
    for (const block of asked) (await block).release();
  });

  it('are not blocked by one read that hangs', async () => {
    const { clock, join, finish, at, flights, read, reads } = scene();
    const hanging = join();
    for (let round = 1; round <= 3; round++) {
      const asked = join();
      clock.advance(NEXT_READ_MS);
      await finish(round);
      (await asked).release();
    }
    assert.equal(reads.length, 4);
    at(0).fail();
    await assert.rejects(hanging, /no/);
    // Nothing is left over: a later request reads at once.
    const after = flights.join('a', undefined, read);
    assert.equal(at(4).deferred, false);
    await finish(4);
    (await after).release();
  });

  it('for another object are separate', async () => {
    const { flights, reads, read, join, finish } = scene();
    const asked = [join(), flights.join('b', undefined, read)];
    assert.equal(reads.length, 2);
    await finish(0);
    await finish(1);
    for (const block of asked) (await block).release();
  });
});

describe('a shared read that fails', () => {
  it('fails only its own requests, and the next read begins', async () => {
    const { reads, join, at, finish } = scene();
    const first = join();
    const second = [join(), join()];
    at(0).fail();
    await assert.rejects(first, /no/);
    assert.equal(reads.length, 2);
    const third = join();
    at(1).fail(new Error('no second'));
    for (const each of second) await assert.rejects(each, /no second/);
    await finish(2);
    (await third).release();
  });

  it('also fails if it fails before it returns a promise', async () => {
    const { flights, join, finish } = scene();
    const broken = flights.join('a', undefined, () => {
      throw new Error('at once');
    });
    await assert.rejects(broken, /at once/);
    const next = join();
    await finish(0);
    (await next).release();
  });
});

describe('the deadline of a request that waits for a read', () => {
  it('starts at its arrival, while two reads hang', async () => {
    const { clock, join, at, reads, finish, arena } = scene();
    const hanging = join();
    const second = assert.rejects(join(), EngineDeadlineError);
    clock.advance(NEXT_READ_MS);
    const older = join();
    clock.advance(100);
    const younger = join();
    clock.advance(deadlineMs - 101);
    assert.ok(await isOpen(older));
    const expired = [older, younger].map((each) => assert.rejects(each, EngineDeadlineError));
    clock.advance(1);
    await expired[0];
    assert.ok(await isOpen(younger));
    await finish(0);
    assert.equal(reads.length, 3);
    clock.advance(99);
    assert.ok(await isOpen(younger));
    clock.advance(1);
    await expired[1];
    at(1).finish();
    at(2).finish();
    (await hanging).release();
    await second;
    await nextTurn();
    assert.equal(arena.used, 0, 'the block of a read without requests was not freed');
    assert.equal(clock.pending, 0);
  });

  it('does not include the wait for memory in the arena, which has its own limit', async () => {
    const { clock, join, at, finish } = scene();
    const first = join();
    const second = join();
    clock.advance(NEXT_READ_MS);
    const { caller } = at(1);
    const listener = (): void => undefined;
    caller.once('close', listener);
    clock.advance(2 * deadlineMs);
    assert.ok(await isOpen(second));
    caller.off('close', listener);
    clock.advance(deadlineMs - NEXT_READ_MS - 1);
    assert.ok(await isOpen(second));
    clock.advance(1);
    await assert.rejects(second, EngineDeadlineError);
    await finish(0);
    (await first).release();
  });

  it('applies to the read if it began at once', async () => {
    const { clock, join, finish } = scene();
    const only = join();
    clock.advance(10 * deadlineMs);
    assert.ok(await isOpen(only));
    await finish(0);
    (await only).release();
  });
});

describe('a request whose client disconnects', () => {
  it('affects no other, and its read ends when all its requests have left', async () => {
    const { clock, join, at, finish, arena } = scene();
    const first = join();
    const clients = [new Client(), new Client(), new Client()];
    const asked = clients.map((client) => join(client));
    clock.advance(NEXT_READ_MS);
    const { caller } = at(1);
    let left = 0;
    const listener = (): void => {
      left += 1;
    };
    caller.once('close', listener);
    clients[0]?.leave();
    clients[1]?.leave();
    assert.equal(left, 0);
    assert.equal(caller.destroyed, false);
    clients[2]?.leave();
    assert.equal(left, 1);
    assert.equal(caller.destroyed, true);
    caller.off('close', listener);
    for (const client of clients) {
      assert.equal(client.listenerCount('close'), 0);
    }
    await finish(1);
    for (const block of asked) (await block).release();
    await finish(0);
    (await first).release();
    assert.equal(arena.used, 0);
  });

  it('also leaves before its read begins', async () => {
    const { join, at, finish } = scene();
    const first = join();
    const client = new Client();
    const second = join(client);
    client.leave();
    await finish(0);
    (await first).release();
    assert.equal(at(1).caller.destroyed, true);
    await finish(1);
    (await second).release();
  });

  it('leaves the read to a request without a connection', async () => {
    const { clock, join, at, finish } = scene();
    const first = join();
    const client = new Client();
    const asked = [join(client), join()];
    clock.advance(NEXT_READ_MS);
    client.leave();
    assert.equal(at(1).caller.destroyed, false);
    await finish(0);
    await finish(1);
    for (const block of [first, ...asked]) (await block).release();
  });
});
