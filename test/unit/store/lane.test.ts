import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { EngineDeadlineError, EngineStuckError } from '../../../src/native/errors.ts';
import { Lane, type LaneOptions, type Wish } from '../../../src/store/lane.ts';
import { until } from '../../helpers/until.ts';

interface TestWish extends Wish {
  readonly key: string;
  readonly resolve: (answer: string) => void;
}

interface OpenCall {
  readonly keys: string;
  /** Answers each wish with its key; the engine is done. */
  answer(): void;
  /** Fails as the client does past a call's deadline; the engine is not done. */
  late(): void;
  /** The engine is done after all. */
  returned(): void;
}

function laneOf(options: Partial<LaneOptions<TestWish>> = {}) {
  const calls: OpenCall[] = [];
  const lane: Lane<TestWish> = new Lane({
    operation: 'get',
    callsInFlight: 1,
    keysPerCall: 100,
    bytesPerCall: 1000,
    deadlineMs: 10_000,
    send: (wishes, returned) =>
      new Promise((resolve, reject) => {
        calls.push({
          keys: wishes.map(({ key }) => key).join(' '),
          answer() {
            for (const wish of wishes) if (lane.settle(wish)) wish.resolve(wish.key);
            returned();
            resolve();
          },
          late: () => reject(new EngineDeadlineError('get', 1)),
          returned,
        });
      }),
    ...options,
  });
  const ask = (key: string, bytes = 1): Promise<string> => {
    const answer = new Promise<string>((resolve, reject) => {
      const own = { expiresAtMs: 0, settled: false, call: undefined };
      lane.add({ key, bytes, resolve, reject, ...own });
    });
    answer.catch(() => undefined);
    return answer;
  };
  /** The call made last, which must be of these keys. */
  const made = (keys: string): OpenCall => {
    assert.equal(calls.at(-1)?.keys, keys);
    return calls.at(-1) as OpenCall;
  };
  return { lane, calls, ask, made };
}

describe('a lane', () => {
  // A lane's timer keeps no process alive, as its engine's calls do.
  const alive = setInterval(() => undefined, 1000);
  after(() => clearInterval(alive));

  it('sends a lone wish in the turn that it came in, and together what came together', async () => {
    const { ask, made, calls } = laneOf({ callsInFlight: 2 });
    const a = ask('a');
    assert.equal(calls.length, 0);
    await nextTurn();
    made('a').answer();
    assert.equal(await a, 'a');
    const both = [ask('b'), ask('c')];
    await nextTurn();
    made('b c').answer();
    assert.deepEqual(await Promise.all(both), ['b', 'c']);
    assert.equal(calls.length, 2);
  });

  it('collects while its calls are under way, and sends the rest when one returns', async () => {
    const { ask, made, calls, lane } = laneOf();
    const first = ask('a');
    await nextTurn();
    const call = made('a');
    const rest = ['b', 'c', 'd'].map((key) => ask(key));
    await nextTurn();
    assert.equal(calls.length, 1);
    assert.equal(lane.waiting, 3);
    call.answer();
    made('b c d').answer();
    assert.deepEqual(await Promise.all([first, ...rest]), ['a', 'b', 'c', 'd']);
    assert.equal(lane.waiting, 0);
  });

  it('fills a call up to its keys and its bytes, and lets a larger wish go alone', async () => {
    const { ask, made } = laneOf({ keysPerCall: 2, bytesPerCall: 10 });
    const wishes: [string, number][] = [
      ['a', 11],
      ['b', 5],
      ['c', 5],
      ['d', 1],
      ['e', 10],
      ['f', 9],
    ];
    const answers = wishes.map(([key, bytes]) => ask(key, bytes));
    await nextTurn();
    for (const keys of ['a', 'b c', 'd f', 'e']) made(keys).answer();
    await Promise.all(answers);
  });

  it('parts what does not fit together, in order of coming', async () => {
    const { ask, made } = laneOf({ fits: (first, wish) => first.key[0] === wish.key[0] });
    const answers = ['a1', 'b1', 'a2', 'c1', 'b2'].map((key) => ask(key));
    await nextTurn();
    for (const keys of ['a1 a2', 'b1 b2', 'c1']) made(keys).answer();
    await Promise.all(answers);
  });

  it('fails those of a call that failed, and goes on', async () => {
    const { lane, calls } = laneOf();
    const broken = laneOf({ send: () => Promise.reject(new Error('broken')) });
    await assert.rejects(broken.ask('a'), /broken/);
    await assert.rejects(broken.ask('b'), /broken/);
    assert.equal(broken.lane.stuck, false);
    assert.equal(lane.stuck, false);
    assert.equal(calls.length, 0);
  });

  it('gives a wish one deadline for waiting and being served', async () => {
    const { ask, made, calls, lane } = laneOf({ deadlineMs: 30 });
    const under = ask('a');
    await nextTurn();
    const call = made('a');
    const began = performance.now();
    const waiting = ask('b');
    await assert.rejects(under, EngineDeadlineError);
    // The lane has no call left that could serve it.
    await assert.rejects(waiting, EngineStuckError);
    assert.ok(performance.now() - began < 2000);
    assert.equal(lane.stuck, true);
    await assert.rejects(ask('c'), EngineStuckError);
    call.answer();
    assert.equal(lane.stuck, false);
    assert.equal(calls.length, 1);
    const after = ask('d');
    await nextTurn();
    made('d').answer();
    assert.equal(await after, 'd');
  });

  it('gives up what still waits while other calls go on, and sends nothing of it later', async () => {
    const { ask, made, calls, lane } = laneOf({ deadlineMs: 40, callsInFlight: 2, keysPerCall: 1 });
    const slow = [ask('a'), ask('b')];
    await nextTurn();
    const [first, second] = calls;
    first?.answer();
    assert.equal(await slow[0], 'a');
    const waiting = ask('c');
    await nextTurn();
    made('c');
    const late = ask('d');
    await assert.rejects(slow[1] as Promise<string>, EngineDeadlineError);
    await assert.rejects(waiting, EngineDeadlineError);
    await assert.rejects(late);
    await until(() => lane.stuck);
    second?.answer();
    calls[2]?.answer();
    assert.equal(lane.stuck, false);
    await nextTurn();
    assert.equal(calls.length, 3);
  });

  it('counts a call as under way until the engine is done with it', async () => {
    const { ask, made, calls, lane } = laneOf();
    const answer = ask('a');
    await nextTurn();
    const call = made('a');
    call.late();
    await assert.rejects(answer, EngineDeadlineError);
    assert.equal(lane.stuck, true);
    call.returned();
    call.returned();
    assert.equal(lane.stuck, false);
    const next = ask('b');
    await nextTurn();
    made('b').answer();
    assert.equal(await next, 'b');
    assert.equal(calls.length, 2);
  });

  it('makes a call in the place of a late one, and not one more when that returns', async () => {
    const { ask, made, calls, lane } = laneOf({ keysPerCall: 1 });
    lane.substitute();
    assert.equal(lane.full, false, 'there is nothing to substitute');
    const answer = ask('a');
    await nextTurn();
    const hanging = made('a');
    hanging.late();
    await assert.rejects(answer, EngineDeadlineError);
    lane.substitute();
    assert.deepEqual([lane.stuck, lane.full], [false, false]);
    const [second, third] = [ask('b'), ask('c')];
    await nextTurn();
    hanging.returned();
    assert.equal(lane.full, true);
    assert.equal(calls.length, 2);
    made('b').answer();
    assert.equal(await second, 'b');
    made('c').answer();
    assert.equal(await third, 'c');
    assert.equal(lane.full, false);
  });
});
