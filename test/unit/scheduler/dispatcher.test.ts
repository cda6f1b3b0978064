import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  EngineClosedError,
  EngineDeadlineError,
  EngineStuckError,
} from '../../../src/native/abi/errors.ts';
import { type CallLimit, fixedLimit } from '../../../src/scheduler/call-limit.ts';
import {
  CallQueue,
  type CallQueueOptions,
  type PendingCall,
  unsubmitted,
} from '../../../src/scheduler/call-queue.ts';
import { Dispatcher, type DispatcherOptions } from '../../../src/scheduler/dispatcher.ts';
import { until } from '../../helpers/process/until.ts';

/** A deadline to wait for, far longer than a busy machine takes for a turn. */
const SHORT_MS = 500;

interface TestCall extends PendingCall {
  readonly key: string;
  readonly resolve: (key: string) => void;
}

interface OpenCall {
  readonly keys: string;
  /** The engine returns: each request is resolved with its key. */
  succeed(): Promise<void>;
  fail(error: Error): Promise<void>;
}

const LONG_MS = 10_000;

/** A dispatcher whose engine calls return when the test says so. */
function dispatcherOf(options: Partial<DispatcherOptions> = {}) {
  const dispatcher = new Dispatcher({
    ...{ slots: 16, substitutes: 0, deadlineMs: LONG_MS },
    ...options,
  });
  const calls: OpenCall[] = [];
  const queueOf = (own: Partial<CallQueueOptions<TestCall>> = {}): CallQueue<TestCall> =>
    dispatcher.register(
      new CallQueue<TestCall>({
        ...{ operation: 'get', quota: 1, maxRequests: 100, maxBytes: 1000 },
        send: (all) =>
          new Promise((resolve, reject) => {
            calls.push({
              keys: all.map(({ key }) => key).join(' '),
              async succeed() {
                resolve((call) => call.resolve(call.key));
                await nextTurn();
              },
              async fail(error) {
                reject(error);
                await nextTurn();
              },
            });
          }),
        ...own,
      }),
    );
  const ask = (
    queue: CallQueue<TestCall>,
    key: string,
    more: { bytes?: number; abandoned?: () => Error | undefined } = {},
  ): Promise<string> => {
    const answer = new Promise<string>((resolve, reject) => {
      dispatcher.submit(queue, { key, bytes: 1, resolve, reject, ...unsubmitted, ...more });
    });
    answer.catch(() => undefined);
    return answer;
  };
  /** The last call that was made, which must have these keys. */
  const made = (keys: string): OpenCall => {
    assert.equal(calls.at(-1)?.keys, keys);
    return calls.at(-1) as OpenCall;
  };
  return { dispatcher, calls, queueOf, ask, made };
}

// The timer of a dispatcher does not keep the process alive, unlike the calls of its engine.
const alive = setInterval(() => undefined, 1000);
after(() => clearInterval(alive));

describe('a queue whose requests share calls', () => {
  it('sends a single request at the end of its turn, and those of one turn together', async () => {
    const { queueOf, ask, made, calls } = dispatcherOf();
    const queue = queueOf({ quota: 2 });
    const a = ask(queue, 'a');
    assert.equal(calls.length, 0);
    await nextTurn();
    await made('a').succeed();
    assert.equal(await a, 'a');
    const both = [ask(queue, 'b'), ask(queue, 'c')];
    await nextTurn();
    await made('b c').succeed();
    assert.deepEqual(await Promise.all(both), ['b', 'c']);
    assert.equal(calls.length, 2);
  });

  it('collects requests while its calls are in flight', async () => {
    const { queueOf, ask, made, calls, dispatcher } = dispatcherOf();
    const queue = queueOf();
    const first = ask(queue, 'a');
    await nextTurn();
    const rest = ['b', 'c', 'd'].map((key) => ask(queue, key));
    await nextTurn();
    assert.equal(calls.length, 1);
    assert.equal(queue.waiting, 3);
    assert.deepEqual(dispatcher.counts(), { slots: 16, inFlight: 1, late: 0, queued: 3 });
    await made('a').succeed();
    await made('b c d').succeed();
    assert.deepEqual(await Promise.all([first, ...rest]), ['a', 'b', 'c', 'd']);
    assert.deepEqual(dispatcher.counts(), { slots: 16, inFlight: 0, late: 0, queued: 0 });
  });

  it('fills a call up to its limits of requests and bytes, and sends a larger request alone', async () => {
    const { queueOf, ask, made } = dispatcherOf();
    const queue = queueOf({ maxRequests: 2, maxBytes: 10 });
    const sizes: [string, number][] = [
      ['a', 11],
      ['b', 5],
      ['c', 5],
      ['d', 1],
      ['e', 10],
      ['f', 9],
    ];
    const answers = sizes.map(([key, bytes]) => ask(queue, key, { bytes }));
    await nextTurn();
    for (const keys of ['a', 'b c', 'd f', 'e']) await made(keys).succeed();
    await Promise.all(answers);
  });

  it('separates incompatible requests, in order of arrival', async () => {
    const { queueOf, ask, made } = dispatcherOf();
    const queue = queueOf({ fits: (first, other) => first.key[0] === other.key[0] });
    const answers = ['a1', 'b1', 'a2', 'c1', 'b2'].map((key) => ask(queue, key));
    await nextTurn();
    for (const keys of ['a1 a2', 'b1 b2', 'c1']) await made(keys).succeed();
    await Promise.all(answers);
  });

  it('separates many incompatible requests in order, and looks at a bounded number for each call', async () => {
    let looks = 0;
    const { queueOf, ask, calls } = dispatcherOf();
    const queue = queueOf({
      maxRequests: 2,
      fits: (first, other) => {
        looks += 1;
        return first.key[0] === other.key[0];
      },
    });
    const kinds = 'abcdefgh';
    const keys = Array.from({ length: 2000 }, (_, at) => `${kinds[at % 8]}${at}`);
    const answers = keys.map((key) => ask(queue, key));
    await nextTurn();
    const made: string[] = [];
    for (let call = calls.at(-1); call !== undefined && made.length < keys.length; ) {
      made.push(...call.keys.split(' '));
      await call.succeed();
      call = calls.at(-1);
    }
    assert.deepEqual([...made].sort(), [...keys].sort());
    for (const kind of kinds) {
      const ofKind = (all: readonly string[]) => all.filter((key) => key[0] === kind);
      assert.deepEqual(ofKind(made), ofKind(keys));
    }
    assert.ok(looks <= 3 * calls.length, `${looks} looks for ${calls.length} calls`);
    await Promise.all(answers);
  });

  it('fails all requests of a failed call, and continues', async () => {
    const { queueOf, ask, made } = dispatcherOf();
    const queue = queueOf();
    const both = [ask(queue, 'a'), ask(queue, 'b')];
    await nextTurn();
    await made('a b').fail(new Error('broken'));
    for (const answer of both) await assert.rejects(answer, /broken/);
    const next = ask(queue, 'c');
    await nextTurn();
    await made('c').succeed();
    assert.equal(await next, 'c');
  });
});

describe('a queue with a limit that differs from its quota', () => {
  it('divides requests among its calls if the limit is larger', async () => {
    const { queueOf, ask, calls } = dispatcherOf();
    const queue = queueOf({ limit: fixedLimit(4) });
    const answers = [...'abcdefghij'].map((key) => ask(queue, key));
    await nextTurn();
    assert.deepEqual(
      calls.map(({ keys }) => keys),
      ['a b c', 'd e f', 'g h', 'i j'],
    );
    for (const call of calls) await call.succeed();
    await Promise.all(answers);
  });

  it('uses more than its quota only while a slot is left for each queue without a call', async () => {
    const { queueOf, ask, calls, dispatcher } = dispatcherOf({ slots: 5 });
    const own = { maxRequests: 1, limit: fixedLimit(5) };
    const [gets, puts, queries] = [queueOf(own), queueOf(own), queueOf(own)];
    const answers = ['g1', 'g2', 'g3', 'g4', 'g5'].map((key) => ask(gets, key));
    await nextTurn();
    assert.deepEqual(dispatcher.counts(), { slots: 5, inFlight: 3, late: 0, queued: 2 });
    answers.push(ask(puts, 'p1'), ask(queries, 'q1'));
    await nextTurn();
    assert.deepEqual(dispatcher.counts(), { slots: 5, inFlight: 5, late: 0, queued: 2 });
    assert.deepEqual(
      calls.map(({ keys }) => keys),
      ['g1', 'g2', 'g3', 'p1', 'q1'],
    );
    await calls[0]?.succeed();
    assert.equal(calls.at(-1)?.keys, 'g4');
    for (let at = 1; at < 7; at++) await calls[at]?.succeed();
    await Promise.all(answers);
  });

  it('replaces late calls within its quota, and is stuck when all of these are late', async () => {
    const { queueOf, ask, made } = dispatcherOf({ deadlineMs: SHORT_MS });
    const queue = queueOf({ quota: 2, limit: fixedLimit(1) });
    for (const key of ['a', 'b']) {
      assert.equal(queue.isStuck, false);
      const late = ask(queue, key);
      await nextTurn();
      made(key);
      await assert.rejects(late, EngineDeadlineError);
    }
    assert.equal(queue.isStuck, true);
    await assert.rejects(ask(queue, 'c'), EngineStuckError);
    await made('b').succeed();
    const next = ask(queue, 'd');
    await nextTurn();
    await made('d').succeed();
    assert.equal(await next, 'd');
  });

  it('makes another call within its quota when one takes very long', async () => {
    const { queueOf, ask, calls } = dispatcherOf();
    const queue = queueOf({ quota: 2, limit: fixedLimit(1) });
    const hanging = ask(queue, 'hangs');
    await nextTurn();
    const others: Promise<string>[] = [];
    await until(() => {
      others.push(ask(queue, 'other'));
      return calls.length === 2;
    });
    await calls[1]?.succeed();
    assert.equal(await others[0], 'other');
    await calls[0]?.succeed();
    assert.equal(await hanging, 'hangs');
  });

  it('makes that call for requests that already wait, without any other event', async () => {
    const { queueOf, ask, calls } = dispatcherOf();
    const queue = queueOf({ quota: 2, limit: fixedLimit(1) });
    const hanging = ask(queue, 'hangs');
    await nextTurn();
    const other = ask(queue, 'other');
    await until(() => calls.length === 2);
    await calls[1]?.succeed();
    assert.equal(await other, 'other');
    await calls[0]?.succeed();
    await hanging;
  });

  it('reports its calls to the limit, except late ones and those that fail', async () => {
    const reported: unknown[] = [];
    const limit: CallLimit = {
      ...fixedLimit(2),
      onStart: () => reported.push('start'),
      onReturn: (requests, inFlight) => reported.push([requests, inFlight]),
    };
    const { queueOf, ask, calls } = dispatcherOf({ deadlineMs: 200 });
    const queue = queueOf({ quota: 2, limit });
    const first = [ask(queue, 'a'), ask(queue, 'b')];
    await nextTurn();
    const second = ask(queue, 'c');
    await nextTurn();
    await calls[0]?.succeed();
    await calls[1]?.fail(new Error('broken'));
    await Promise.allSettled([...first, second]);
    const late = ask(queue, 'd');
    await nextTurn();
    await assert.rejects(late, EngineDeadlineError);
    await calls[2]?.succeed();
    assert.deepEqual(reported, ['start', [2, 2], 'start']);
  });
});

describe('queues without sharing', () => {
  it('send at once, as many calls as there are slots, and the others in order of arrival', async () => {
    const { queueOf, ask, calls, dispatcher } = dispatcherOf({ slots: 2 });
    const own = { maxRequests: 1, quota: 2 };
    const [gets, puts] = [queueOf(own), queueOf(own)];
    const answers = [ask(gets, 'a'), ask(puts, 'b'), ask(puts, 'c'), ask(gets, 'd')];
    assert.deepEqual(
      calls.map(({ keys }) => keys),
      ['a', 'b'],
    );
    assert.deepEqual(dispatcher.counts(), { slots: 2, inFlight: 2, late: 0, queued: 2 });
    await calls[1]?.succeed();
    assert.equal(calls[2]?.keys, 'c');
    await calls[0]?.succeed();
    assert.equal(calls[3]?.keys, 'd');
    await calls[2]?.succeed();
    await calls[3]?.succeed();
    assert.deepEqual(await Promise.all(answers), ['a', 'b', 'c', 'd']);
  });

  it('obey their own limits, so that one queue does not use every slot', async () => {
    const { queueOf, ask, calls } = dispatcherOf({ slots: 4 });
    const large = queueOf({ maxRequests: 1, quota: 2 });
    const small = queueOf({ maxRequests: 1, quota: 4 });
    const answers = ['l1', 'l2', 'l3'].map((key) => ask(large, key));
    answers.push(ask(small, 's1'));
    assert.deepEqual(
      calls.map(({ keys }) => keys),
      ['l1', 'l2', 's1'],
    );
    for (let at = 0; at < 4; at++) await calls[at]?.succeed();
    await Promise.all(answers);
  });

  it('make no call for a request that is no longer needed, and continue with the next', async () => {
    const { queueOf, ask, calls } = dispatcherOf();
    const queue = queueOf({ maxRequests: 1 });
    const first = ask(queue, 'a');
    const left = ask(queue, 'b', { abandoned: () => new Error('the client has left') });
    const next = ask(queue, 'c', { abandoned: () => undefined });
    await calls[0]?.succeed();
    await assert.rejects(left, /has left/);
    assert.equal(calls[1]?.keys, 'c');
    await calls[1]?.succeed();
    assert.deepEqual(await Promise.all([first, next]), ['a', 'c']);
  });

  it('survive twenty thousand calls that fail one after another', async () => {
    const { queueOf, ask, calls, dispatcher } = dispatcherOf({ slots: 1 });
    const queue = queueOf({ maxRequests: 1, send: () => Promise.reject(new TypeError('no key')) });
    const good = queueOf({ maxRequests: 1 });
    const faulty = Array.from({ length: 20_000 }, (_, at) => ask(queue, `${at}`));
    const last = ask(good, 'last');
    for (const answer of await Promise.allSettled(faulty)) {
      assert.ok(answer.status === 'rejected' && answer.reason instanceof TypeError);
    }
    await until(() => calls.length === 1);
    await calls[0]?.succeed();
    assert.equal(await last, 'last');
    assert.equal(dispatcher.isIdle, true);
  });
});

const isRefused = (error: unknown): boolean =>
  error instanceof EngineDeadlineError || error instanceof EngineStuckError;

describe('a deadline', () => {
  it('takes a request that waits out of its queue', async () => {
    const { queueOf, ask, made, dispatcher } = dispatcherOf({ slots: 2, deadlineMs: SHORT_MS });
    const queue = queueOf({});
    const all = [ask(queue, 'a')];
    await nextTurn();
    all.push(ask(queue, 'b'), ask(queue, 'c'));
    assert.equal(dispatcher.counts().queued, 2);
    for (const late of all) await assert.rejects(late, isRefused);
    assert.equal(dispatcher.counts().queued, 0);
    await made('a').succeed();
  });

  it('covers the wait and the call; the call keeps its slot until the engine returns', async () => {
    const { queueOf, ask, made, dispatcher } = dispatcherOf({ slots: 2, deadlineMs: SHORT_MS });
    const queue = queueOf({ operation: 'put' });
    const late = ask(queue, 'a');
    await nextTurn();
    const call = made('a');
    await assert.rejects(late, (error: unknown) => {
      assert.ok(error instanceof EngineDeadlineError);
      assert.deepEqual([error.operation, error.deadlineMs], ['put', SHORT_MS]);
      return true;
    });
    assert.deepEqual(dispatcher.counts(), { slots: 2, inFlight: 1, late: 1, queued: 0 });
    await call.succeed();
    assert.deepEqual(dispatcher.counts(), { slots: 2, inFlight: 0, late: 0, queued: 0 });
  });

  it('makes a queue stuck when all its calls are late: new requests are refused at once', async () => {
    const { queueOf, ask, made, calls } = dispatcherOf({ deadlineMs: SHORT_MS });
    const queue = queueOf();
    const other = queueOf();
    const first = ask(queue, 'a');
    await nextTurn();
    const call = made('a');
    const waiting = ask(queue, 'b');
    await assert.rejects(first, EngineDeadlineError);
    await assert.rejects(waiting, EngineStuckError);
    assert.equal(queue.isStuck, true);
    await assert.rejects(ask(queue, 'c'), EngineStuckError);
    const elsewhere = ask(other, 'd');
    await nextTurn();
    await made('d').succeed();
    assert.equal(await elsewhere, 'd');
    await call.succeed();
    assert.equal(queue.isStuck, false);
    const next = ask(queue, 'e');
    await nextTurn();
    await made('e').succeed();
    assert.equal(await next, 'e');
    assert.equal(calls.length, 3);
  });

  it('makes every queue stuck when all slots are late', async () => {
    const { queueOf, ask, calls, dispatcher } = dispatcherOf({ slots: 2, deadlineMs: SHORT_MS });
    const own = { maxRequests: 1, quota: 2 };
    const [gets, puts] = [queueOf(own), queueOf(own)];
    const late = [ask(gets, 'a'), ask(puts, 'b')];
    for (const answer of late) await assert.rejects(answer, EngineDeadlineError);
    assert.equal(dispatcher.isStuck, true);
    assert.deepEqual([gets.isStuck, puts.isStuck], [false, false]);
    for (const queue of [gets, puts]) await assert.rejects(ask(queue, 'c'), EngineStuckError);
    await calls[0]?.succeed();
    assert.equal(dispatcher.isStuck, false);
    const next = ask(puts, 'd');
    await calls[2]?.succeed();
    assert.equal(await next, 'd');
    await calls[1]?.succeed();
  });

  it('ends waiting requests while other calls continue, and sends nothing of them later', async () => {
    const { queueOf, ask, calls } = dispatcherOf({ deadlineMs: SHORT_MS });
    const queue = queueOf({ quota: 2, maxRequests: 1 });
    const slow = [ask(queue, 'a'), ask(queue, 'b')];
    await calls[0]?.succeed();
    assert.equal(await slow[0], 'a');
    const served = ask(queue, 'c');
    const waiting = ask(queue, 'd');
    await assert.rejects(slow[1] as Promise<string>, EngineDeadlineError);
    await assert.rejects(served, EngineDeadlineError);
    await assert.rejects(waiting);
    await until(() => queue.isStuck);
    await calls[1]?.succeed();
    await calls[2]?.succeed();
    assert.equal(queue.isStuck, false);
    assert.equal(calls.length, 3);
  });
});

describe('replacement calls', () => {
  it('are made for late ones, and end when these return', async () => {
    const { queueOf, ask, calls, dispatcher } = dispatcherOf({
      ...{ slots: 2, substitutes: 1, deadlineMs: SHORT_MS },
    });
    const queue = queueOf({ maxRequests: 1, quota: 2 });
    const late = [ask(queue, 'a'), ask(queue, 'b')];
    assert.equal(dispatcher.substitute(), false, 'no call is late');
    for (const answer of late) await assert.rejects(answer, EngineDeadlineError);
    assert.equal(dispatcher.isStuck, true);
    assert.equal(dispatcher.substitute(), true);
    assert.deepEqual([dispatcher.isStuck, queue.isStuck], [false, false]);
    assert.equal(dispatcher.substitute(), false, 'the engine bears one');
    const c = ask(queue, 'c');
    assert.deepEqual(dispatcher.counts(), { slots: 2, inFlight: 3, late: 2, queued: 0 });
    const d = ask(queue, 'd');
    await calls[0]?.succeed();
    assert.equal(calls.length, 3, 'the substituted call had no slot to give back');
    await calls[2]?.succeed();
    assert.equal(await c, 'c');
    await calls[3]?.succeed();
    assert.equal(await d, 'd');
    await calls[1]?.succeed();
    assert.deepEqual(dispatcher.counts(), { slots: 2, inFlight: 0, late: 0, queued: 0 });
    assert.equal(await dispatcher.close(0), true);
  });

  it('are for one queue if requested', async () => {
    const { queueOf, ask, calls, dispatcher } = dispatcherOf({
      substitutes: 4,
      deadlineMs: SHORT_MS,
    });
    const [gets, puts] = [queueOf({ maxRequests: 1 }), queueOf({ maxRequests: 1 })];
    for (const answer of [ask(gets, 'a'), ask(puts, 'b')]) {
      await assert.rejects(answer, EngineDeadlineError);
    }
    assert.equal(dispatcher.substitute(puts as unknown as CallQueue), true);
    assert.deepEqual([gets.isStuck, puts.isStuck], [true, false]);
    assert.equal(dispatcher.substitute(puts as unknown as CallQueue), false);
    for (const call of calls) await call.succeed();
  });

  it('make the queue stuck again if they are late too', async () => {
    const { queueOf, ask, calls, dispatcher } = dispatcherOf({
      ...{ slots: 1, substitutes: 1, deadlineMs: SHORT_MS },
    });
    const queue = queueOf({ maxRequests: 1 });
    await assert.rejects(ask(queue, 'a'), EngineDeadlineError);
    dispatcher.substitute();
    const [second, third] = [ask(queue, 'b'), ask(queue, 'c')];
    await assert.rejects(second, EngineDeadlineError);
    await assert.rejects(third, EngineStuckError);
    assert.equal(dispatcher.isStuck, true);
    await calls[1]?.succeed();
    assert.equal(dispatcher.isStuck, false);
    assert.deepEqual(dispatcher.counts(), { slots: 1, inFlight: 1, late: 1, queued: 0 });
    await calls[0]?.succeed();
  });
});

describe('closing', () => {
  it('waits for requests in flight and in the queue, and refuses new ones', async () => {
    const { queueOf, ask, calls, dispatcher } = dispatcherOf({ slots: 1 });
    const queue = queueOf({ maxRequests: 1 });
    const both = [ask(queue, 'a'), ask(queue, 'b')];
    const closed = dispatcher.close(LONG_MS);
    await assert.rejects(ask(queue, 'c'), EngineClosedError);
    await calls[0]?.succeed();
    await calls[1]?.succeed();
    assert.equal(await closed, true);
    assert.deepEqual(await Promise.all(both), ['a', 'b']);
  });

  it('gives up after its deadline, and fails the waiting requests', async () => {
    const { queueOf, ask, calls, dispatcher } = dispatcherOf({ slots: 1 });
    const queue = queueOf({ maxRequests: 1 });
    const running = ask(queue, 'a');
    const waiting = ask(queue, 'b');
    assert.equal(await dispatcher.close(20), false);
    await assert.rejects(waiting, EngineClosedError);
    await calls[0]?.succeed();
    assert.equal(await running, 'a');
  });

  it('is done at once if no request is open', async () => {
    assert.equal(await dispatcherOf().dispatcher.close(0), true);
  });
});
