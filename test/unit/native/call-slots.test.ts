import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CallSlots } from '../../../src/native/call-slots.ts';
import {
  EngineClosedError,
  EngineDeadlineError,
  EngineStuckError,
} from '../../../src/native/errors.ts';

/** A call that ends when told; it says which slot it got and whether it was let go. */
function call(slots: CallSlots<number>, operation = 'get') {
  const state = {
    slot: -1,
    released: 0,
    end: (_: string): void => undefined,
    fail: (_: Error): void => undefined,
  };
  const promise = slots.run<string>(
    operation,
    (slot, finish, fail) => {
      state.slot = slot;
      state.end = finish;
      state.fail = fail;
    },
    () => {
      state.released++;
    },
  );
  promise.catch(() => undefined);
  return { state, promise };
}

type State = ReturnType<typeof call>['state'];

const LONG = 60_000;

describe('CallSlots', () => {
  it('runs as many calls as there are slots, the rest in order as slots come free', async () => {
    const slots = new CallSlots([1, 2], LONG);
    const calls = Array.from({ length: 4 }, () => call(slots));
    assert.deepEqual(slots.counts(), { slots: 2, inFlight: 2, late: 0, queued: 2 });
    const [a, b, c, d] = calls.map(({ state }) => state) as [State, State, State, State];
    assert.deepEqual(
      calls.map(({ state }) => state.slot > 0),
      [true, true, false, false],
    );
    b.end('b');
    assert.equal(c.slot, b.slot);
    assert.equal(d.slot, -1);
    for (const [state, answer] of [
      [a, 'a'],
      [c, 'c'],
      [d, 'd'],
    ] as const)
      state.end(answer);
    assert.deepEqual(await Promise.all(calls.map(({ promise }) => promise)), ['a', 'b', 'c', 'd']);
    assert.deepEqual(
      calls.map(({ state }) => state.released),
      [1, 1, 1, 1],
    );
    assert.deepEqual(slots.counts(), { slots: 2, inFlight: 0, late: 0, queued: 0 });
  });

  it('rejects with what a call fails with, and frees its slot', async () => {
    const slots = new CallSlots([1], LONG);
    const { promise, state } = call(slots);
    state.fail(new Error('refused'));
    await assert.rejects(promise, /refused/);
    assert.equal(slots.counts().inFlight, 0);
    assert.equal(state.released, 1);
  });

  it('rejects what a call throws over its arguments, in line too, and goes on', async () => {
    const slots = new CallSlots([1], LONG);
    const first = call(slots);
    const faulty = Array.from({ length: 20_000 }, () =>
      slots.run('get', () => {
        throw new TypeError('a key is a string');
      }),
    );
    const last = call(slots);
    first.state.end('first');
    for (const result of await Promise.allSettled(faulty)) {
      assert.ok(result.status === 'rejected' && result.reason instanceof TypeError);
    }
    last.state.end('last');
    assert.equal(await last.promise, 'last');
    assert.equal(slots.counts().inFlight, 0);
  });

  it('rejects a call that runs past its deadline, which keeps slot and blocks until it returns', async () => {
    const slots = new CallSlots([1, 2], 20);
    const { promise, state } = call(slots, 'put');
    await assert.rejects(promise, (error: unknown) => {
      assert.ok(error instanceof EngineDeadlineError);
      assert.deepEqual([error.operation, error.deadlineMs], ['put', 20]);
      return true;
    });
    assert.deepEqual(slots.counts(), { slots: 2, inFlight: 1, late: 1, queued: 0 });
    assert.equal(state.released, 0);
    state.end('late');
    assert.equal(state.released, 1);
    assert.deepEqual(slots.counts(), { slots: 2, inFlight: 0, late: 0, queued: 0 });
  });

  it('counts the wait for a slot: those in line are told when the slots are late', async () => {
    const slots = new CallSlots([1, 2], 30);
    const running = [call(slots), call(slots)];
    const waiting = call(slots);
    await assert.rejects(waiting.promise, EngineStuckError);
    assert.equal(waiting.state.slot, -1);
    assert.deepEqual(
      [...running, waiting].map(({ state }) => state.released),
      [0, 0, 1],
    );
    for (const { state } of running) state.end('');
    assert.deepEqual(slots.counts(), { slots: 2, inFlight: 0, late: 0, queued: 0 });
  });

  it('rejects everybody at once while every slot is late, those in line too, until one returns', async () => {
    const slots = new CallSlots([1, 2], 20);
    const late = [call(slots), call(slots)];
    await Promise.allSettled(late.map(({ promise }) => promise));
    const refused = call(slots, 'exist');
    const answer = refused.promise.catch((error: unknown) => error);
    const first = await Promise.race([answer, new Promise(setImmediate)]);
    assert.ok(first instanceof EngineStuckError, 'without waiting');
    assert.equal(refused.state.released, 1);
    late[0]?.state.end('at last');
    const next = call(slots);
    next.state.end('well');
    assert.equal(await next.promise, 'well');
  });

  it('closes when the calls under way and in line are done', async () => {
    const slots = new CallSlots([1], LONG);
    const running = call(slots);
    const waiting = call(slots);
    const closed = slots.close(LONG);
    await assert.rejects(call(slots).promise, EngineClosedError);
    running.state.end('one');
    waiting.state.end('two');
    assert.equal(await closed, true);
    assert.deepEqual(await Promise.all([running.promise, waiting.promise]), ['one', 'two']);
  });

  it('gives up closing after its deadline; those in line are told', async () => {
    const slots = new CallSlots([1], LONG);
    const running = call(slots);
    const waiting = call(slots);
    assert.equal(await slots.close(20), false);
    await assert.rejects(waiting.promise, EngineClosedError);
    assert.equal(waiting.state.released, 1);
    assert.equal(running.state.released, 0);
    running.state.end('');
  });

  it('closes at once when nothing runs', async () => {
    assert.equal(await new CallSlots([1], LONG).close(0), true);
  });

  it('makes calls in the place of late ones, and no longer when these have returned', async () => {
    const slots = new CallSlots([1, 2], 20, [3]);
    const late = [call(slots), call(slots)];
    assert.equal(slots.substitute(), false, 'none is late');
    for (const { promise } of late) await assert.rejects(promise, EngineDeadlineError);
    assert.equal(slots.stuck, true);
    assert.equal(slots.substitute(), true);
    assert.equal(slots.stuck, false);
    assert.equal(slots.substitute(), false, 'there is one');
    const substitute = call(slots);
    assert.equal(substitute.state.slot, 3);
    assert.deepEqual(slots.counts(), { slots: 2, inFlight: 3, late: 2, queued: 0 });
    substitute.state.end('3');
    const next = call(slots);
    assert.equal(next.state.slot, 3, 'its slot stays as long as it is needed');
    const waiting = call(slots);
    late[0]?.state.end('late');
    assert.deepEqual(slots.counts(), { slots: 2, inFlight: 3, late: 1, queued: 0 });
    assert.equal(slots.substitute(), false, 'it stands for the one that is still late');
    const last = call(slots);
    late[1]?.state.end('late');
    assert.equal(last.state.slot, -1, 'its slot is one too many now');
    assert.deepEqual(slots.counts(), { slots: 2, inFlight: 2, late: 0, queued: 1 });
    next.state.end('3');
    waiting.state.end('1');
    last.state.end('');
    assert.deepEqual(slots.counts(), { slots: 2, inFlight: 0, late: 0, queued: 0 });
    const [a, b, c] = [call(slots), call(slots), call(slots)];
    assert.equal(c.state.slot, -1, 'two are all there are');
    for (const { state } of [a, b, c]) state.end('');
    assert.equal(await slots.close(0), true);
  });

  it('is stuck again when what was made in the place of late calls is late too', async () => {
    const slots = new CallSlots([1], 20, [2]);
    await assert.rejects(call(slots).promise, EngineDeadlineError);
    slots.substitute();
    const [second, third] = [call(slots), call(slots)];
    await assert.rejects(second.promise, EngineDeadlineError);
    await assert.rejects(third.promise, EngineStuckError);
    assert.equal(slots.stuck, true);
    second.state.end('');
    assert.equal(slots.stuck, false);
    assert.deepEqual(slots.counts(), { slots: 1, inFlight: 1, late: 1, queued: 0 });
  });
});
