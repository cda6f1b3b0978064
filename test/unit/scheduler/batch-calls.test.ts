import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { after, describe, it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { ClientGoneError } from '../../../src/errors/client-gone.ts';
import { EngineDeadlineError, EngineStuckError } from '../../../src/native/abi/errors.ts';
import type { NativeCalls } from '../../../src/native/calls/native-calls.ts';
import { type BatchCalls, BatchQueues } from '../../../src/scheduler/batch-calls.ts';
import { Dispatcher } from '../../../src/scheduler/dispatcher.ts';
import { quotasOf, SLOTS_FOR_BOTH } from '../../../src/scheduler/quotas.ts';
import { countingArena } from '../../helpers/engine/scripted-engine.ts';
import { unreadConnection } from '../../helpers/http/unread-connection.ts';

/** A deadline to wait for, far longer than a busy machine takes for a turn. */
const SHORT_MS = 500;

interface OpenCall {
  readonly name: string;
  /** The engine returns, and its caller gets the result if it has none yet. */
  answer(): Promise<void>;
}

/** Batches on an engine whose calls return when the test says so. */
function callsOf(slots: number, deadlineMs = 10_000) {
  const open: OpenCall[] = [];
  const method =
    (name: keyof BatchCalls) =>
    ([key]: readonly string[]): Promise<Int32Array> =>
      new Promise((resolve) => {
        const call = {
          name: `${name} ${key}`,
          async answer() {
            open.splice(open.indexOf(call), 1);
            resolve(new Int32Array(1));
            await nextTurn();
          },
        };
        open.push(call);
      });
  const names = ['query', 'exist', 'remove', 'get', 'put', 'replace'] as const;
  const batchCalls = Object.fromEntries(names.map((name) => [name, method(name)]));
  const dispatcher = new Dispatcher({ slots, substitutes: 0, deadlineMs });
  const { asking, large } = quotasOf(slots);
  const shared = new BatchQueues(
    dispatcher,
    { arena: countingArena(), batchCalls: batchCalls as unknown as NativeCalls },
    { asking, moving: slots < SLOTS_FOR_BOTH ? 'shared' : large },
  );
  const inFlight = () => open.map(({ name }) => name);
  const answer = async (name: string): Promise<void> => {
    const call = open.find((each) => each.name === name);
    assert.ok(call, `${name} is not in flight: ${inFlight()}`);
    await call.answer();
  };
  const answerAll = async () => {
    while (open.length > 0) await open[0]?.answer();
  };
  return { shared, calls: shared.of(), inFlight, answer, answerAll };
}

class Client extends EventEmitter {
  destroyed = false;
}

const options = { replicas: 1, prefer: [] };

describe('the calls of batches', () => {
  // The timer of a dispatcher does not keep the process alive, unlike the calls of its engine.
  const alive = setInterval(() => undefined, 1000);
  after(() => clearInterval(alive));

  it('wait for their turn in order of arrival, and are sent one by one', async () => {
    const { shared, calls, inFlight, answer, answerAll } = callsOf(8);
    const gets = ['a', 'b', 'c'].map((key) => calls.get([key], []));
    const put = calls.put(['d'], [], options);
    await nextTurn();
    assert.deepEqual(inFlight(), ['get a']);
    assert.equal(shared.waiting, 3);
    await answer('get a');
    assert.deepEqual(inFlight(), ['get b']);
    await answerAll();
    for (const codes of await Promise.all([...gets, put])) assert.equal(codes.length, 1);
    assert.equal(shared.waiting, 0);
  });

  it('that move values and that query do not wait for each other', async () => {
    const { calls, inFlight, answerAll } = callsOf(16);
    const all = [
      ...['1', '2', '3', '4'].map((key) => calls.get([key], [])),
      ...['1', '2'].map((key) => calls.put([key], [], options)),
      calls.exist(['5']),
      calls.query(['6']),
      calls.remove(['7']),
    ];
    await nextTurn();
    assert.deepEqual(inFlight().sort(), ['exist 5', 'get 1', 'get 2', 'get 3', 'query 6']);
    await answerAll();
    await Promise.all(all);
  });

  it('leave a slot for others, however few there are, unless there is only one', async () => {
    for (const slots of [1, 2, 3, 4]) {
      const { calls, inFlight, answerAll } = callsOf(slots);
      const all = [
        ...['1', '2', '3'].map((key) => calls.get([key], [])),
        ...['1', '2', '3'].map((key) => calls.exist([key])),
      ];
      await nextTurn();
      assert.ok(inFlight().length >= 1);
      assert.ok(inFlight().length <= Math.max(1, slots - 1), `${inFlight()} of ${slots} slots`);
      await answerAll();
      await Promise.all(all);
    }
  });

  it('keep their place past their deadline, until the engine returns', async () => {
    const { calls, inFlight, answer, answerAll } = callsOf(8, SHORT_MS);
    const first = calls.get(['a'], []);
    await nextTurn();
    const second = calls.get(['b'], []);
    await assert.rejects(first, EngineDeadlineError);
    await assert.rejects(second, EngineStuckError);
    await assert.rejects(calls.put(['c'], [], options), EngineStuckError);
    const asked = calls.exist(['d']);
    await nextTurn();
    assert.deepEqual(inFlight(), ['get a', 'exist d']);
    await answer('exist d');
    await asked;
    await answer('get a');
    const third = calls.get(['e'], []);
    await nextTurn();
    assert.deepEqual(inFlight(), ['get e']);
    await answerAll();
    await third;
  });

  it('replace objects in one turn among those that move values, or remove nothing', async () => {
    const { calls, inFlight, answer, answerAll } = callsOf(8, SHORT_MS);
    const get = calls.get(['a'], []);
    await nextTurn();
    const waited = calls.replace(['b'], [], options);
    await nextTurn();
    assert.deepEqual(inFlight(), ['get a']);
    await assert.rejects(get, EngineDeadlineError);
    await assert.rejects(waited, EngineStuckError);
    await assert.rejects(calls.replace(['c'], [], options), EngineStuckError);
    await answer('get a');
    await nextTurn();
    assert.deepEqual(inFlight(), []);
    const replaced = calls.replace(['d'], [], options);
    const put = calls.put(['e'], [], options);
    await nextTurn();
    assert.deepEqual(inFlight(), ['replace d']);
    await answer('replace d');
    assert.deepEqual(inFlight(), ['put e']);
    await answerAll();
    await Promise.all([replaced, put]);
  });

  it('are not made for a client that disconnected while it waited, and the next one continues', async () => {
    const { shared, calls, inFlight, answer } = callsOf(8);
    const first = calls.get(['a'], []);
    await nextTurn();
    const client = new Client();
    const left = shared.of(client).get(['b'], []);
    const refused = assert.rejects(left, ClientGoneError);
    const next = shared.of(new Client()).get(['c'], []);
    client.destroyed = true;
    await answer('get a');
    assert.deepEqual(inFlight(), ['get c']);
    await refused;
    await answer('get c');
    await Promise.all([first, next]);
  });

  it('are not made for a client whose reset Node has not read, without descriptors of Node', async (t) => {
    const [socket, peer] = await unreadConnection(t, 'TCP');
    const { shared, calls, inFlight, answer } = callsOf(8);
    const first = calls.get(['a'], []);
    await nextTurn();
    const refused = assert.rejects(shared.of(socket).get(['b'], []), ClientGoneError);
    peer.resetAndDestroy();
    await nextTurn();
    assert.equal(socket.destroyed, false);
    await answer('get a');
    assert.deepEqual(inFlight(), []);
    await Promise.all([first, refused]);
  });

  it('are not made for a client that left while other queues held every slot', async () => {
    const dispatcher = new Dispatcher({ slots: 1, substitutes: 0, deadlineMs: 10_000 });
    const made: string[] = [];
    let answer: (() => void) | undefined;
    const exist = ([key]: readonly string[]) => {
      made.push(key as string);
      return new Promise((resolve) => {
        answer = () => resolve(new Int32Array(1));
      });
    };
    const batchCalls = { exist } as unknown as NativeCalls;
    const queues = new BatchQueues(
      dispatcher,
      { arena: countingArena(), batchCalls },
      { asking: 2, moving: 'shared' },
    );
    const first = queues.of().exist(['a']);
    await nextTurn();
    const client = new Client();
    const refused = assert.rejects(queues.of(client).exist(['b']), ClientGoneError);
    client.destroyed = true;
    answer?.();
    await first;
    await refused;
    assert.deepEqual(made, ['a']);
  });

  it('give back their place when the call fails', async () => {
    const dispatcher = new Dispatcher({ slots: 1, substitutes: 0, deadlineMs: 10_000 });
    const exist = () => Promise.reject(new Error('broken'));
    const batchCalls = { exist } as unknown as NativeCalls;
    const queues = new BatchQueues(
      dispatcher,
      { arena: countingArena(), batchCalls },
      { asking: 1, moving: 'shared' },
    );
    for (const key of ['a', 'b', 'c']) await assert.rejects(queues.of().exist([key]), /broken/);
  });
});
