import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { after, describe, it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { EngineDeadlineError, EngineStuckError } from '../../../src/native/errors.ts';
import type { EngineClient, Returned } from '../../../src/native/types.ts';
import { sharedBatchCalls } from '../../../src/store/batch-calls.ts';
import { ClientGoneError } from '../../../src/store/client-gone.ts';

interface OpenCall {
  readonly name: string;
  /** The engine is done, and its caller hears of it if it was not told before. */
  answer(): void;
}

const names = [
  'batchQuery',
  'batchExist',
  'batchRemove',
  'batchGet',
  'batchPut',
  'batchReplace',
] as const;

/** An engine whose calls return when the test says so. */
function callsOf(slots: number, deadlineMs = 10_000) {
  const open: OpenCall[] = [];
  const made = (name: string, returned: Returned | undefined) =>
    new Promise((resolve) => {
      const call = {
        name,
        answer() {
          open.splice(open.indexOf(call), 1);
          returned?.();
          resolve({ code: 0, results: new Int32Array(1), infos: [] });
        },
      };
      open.push(call);
    });
  const method =
    (name: (typeof names)[number]) =>
    ([key]: readonly string[], ...rest: unknown[]) =>
      made(`${name} ${key}`, rest.at(-1) as Returned | undefined);
  const engine = {
    deadlineMs,
    calls: () => ({ slots, inFlight: 0, late: 0, queued: 0 }),
    ...Object.fromEntries(names.map((name) => [name, method(name)])),
  } as unknown as EngineClient;
  const shared = sharedBatchCalls(engine);
  const underWay = () => open.map(({ name }) => name);
  const answer = (name: string): void => {
    const call = open.find((each) => each.name === name);
    assert.ok(call, `${name} is not under way: ${underWay()}`);
    call.answer();
  };
  const answerAll = async () => {
    while (open.length > 0) {
      open[0]?.answer();
      await nextTurn();
    }
  };
  return { shared, calls: shared.of(), underWay, answer, answerAll };
}

class Client extends EventEmitter {
  destroyed = false;
}

const options = { replicas: 1, prefer: [] };

describe('the calls of batches', () => {
  // A lane's timer keeps no process alive, as its engine's calls do.
  const alive = setInterval(() => undefined, 1000);
  after(() => clearInterval(alive));

  it('wait for their turn in order of coming, and leave one by one', async () => {
    const { shared, calls, underWay, answer, answerAll } = callsOf(8);
    const gets = ['a', 'b', 'c'].map((key) => calls.batchGet([key], []));
    const put = calls.batchPut(['d'], [], options);
    await nextTurn();
    assert.deepEqual(underWay(), ['batchGet a']);
    assert.equal(shared.waiting, 3);
    answer('batchGet a');
    assert.deepEqual(underWay(), ['batchGet b']);
    await answerAll();
    for (const { results } of await Promise.all([...gets, put])) assert.equal(results.length, 1);
    assert.equal(shared.waiting, 0);
  });

  it('that move values and that ask do not wait for each other', async () => {
    const { calls, underWay, answerAll } = callsOf(16);
    const all = [
      ...['1', '2', '3', '4'].map((key) => calls.batchGet([key], [])),
      ...['1', '2'].map((key) => calls.batchPut([key], [], options)),
      calls.batchExist(['5']),
      calls.batchQuery(['6']),
      calls.batchRemove(['7']),
    ];
    await nextTurn();
    assert.deepEqual(underWay().sort(), [
      'batchExist 5',
      'batchGet 1',
      'batchGet 2',
      'batchGet 3',
      'batchQuery 6',
    ]);
    await answerAll();
    await Promise.all(all);
  });

  it('leave a slot to others, however few there are, unless there is only one', async () => {
    for (const slots of [1, 2, 3, 4]) {
      const { calls, underWay, answerAll } = callsOf(slots);
      const all = [
        ...['1', '2', '3'].map((key) => calls.batchGet([key], [])),
        ...['1', '2', '3'].map((key) => calls.batchExist([key])),
      ];
      await nextTurn();
      assert.ok(underWay().length >= 1);
      assert.ok(underWay().length <= Math.max(1, slots - 1), `${underWay()} of ${slots} slots`);
      await answerAll();
      await Promise.all(all);
    }
  });

  it('keep their place past their deadline, until the engine is done with them', async () => {
    const { calls, underWay, answer, answerAll } = callsOf(8, 30);
    const first = calls.batchGet(['a'], []);
    await nextTurn();
    const second = calls.batchGet(['b'], []);
    await assert.rejects(first, EngineDeadlineError);
    await assert.rejects(second, EngineStuckError);
    await assert.rejects(calls.batchPut(['c'], [], options), EngineStuckError);
    const asked = calls.batchExist(['d']);
    await nextTurn();
    assert.deepEqual(underWay(), ['batchGet a', 'batchExist d']);
    answer('batchExist d');
    await asked;
    answer('batchGet a');
    const third = calls.batchGet(['e'], []);
    await nextTurn();
    assert.deepEqual(underWay(), ['batchGet e']);
    await answerAll();
    await third;
  });

  it('replace in one turn among those that move values, or remove nothing', async () => {
    const { calls, underWay, answer, answerAll } = callsOf(8, 30);
    const get = calls.batchGet(['a'], []);
    await nextTurn();
    const waited = calls.batchReplace(['b'], [], options);
    await nextTurn();
    assert.deepEqual(underWay(), ['batchGet a']);
    await assert.rejects(get, EngineDeadlineError);
    await assert.rejects(waited, EngineStuckError);
    await assert.rejects(calls.batchReplace(['c'], [], options), EngineStuckError);
    answer('batchGet a');
    await nextTurn();
    assert.deepEqual(underWay(), []);
    const replaced = calls.batchReplace(['d'], [], options);
    const put = calls.batchPut(['e'], [], options);
    await nextTurn();
    assert.deepEqual(underWay(), ['batchReplace d']);
    answer('batchReplace d');
    assert.deepEqual(underWay(), ['batchPut e']);
    await answerAll();
    await Promise.all([replaced, put]);
  });

  it('are not made for a client that left while it waited, and the next one goes on', async () => {
    const { shared, calls, underWay, answer } = callsOf(8);
    const first = calls.batchGet(['a'], []);
    await nextTurn();
    const client = new Client();
    const left = shared.of(client).batchGet(['b'], []);
    const refused = assert.rejects(left, ClientGoneError);
    const next = shared.of(new Client()).batchGet(['c'], []);
    client.destroyed = true;
    answer('batchGet a');
    assert.deepEqual(underWay(), ['batchGet c']);
    await refused;
    answer('batchGet c');
    await Promise.all([first, next]);
  });

  it('give back their place when the client refuses them', async () => {
    const engine = {
      deadlineMs: 10_000,
      calls: () => ({ slots: 1 }),
      batchExist: () => Promise.reject(new Error('broken')),
    } as unknown as EngineClient;
    const calls = sharedBatchCalls(engine).of();
    for (const key of ['a', 'b', 'c']) await assert.rejects(calls.batchExist([key]), /broken/);
  });
});
