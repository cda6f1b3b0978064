/** The client on an engine that is slow, stuck, or returns wrong results. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, afterEach, before, describe, it } from 'node:test';
import { UNTRUSTED_READ } from '../../../src/errors/engine-codes.ts';
import {
  EngineDeadlineError,
  EngineStuckError,
  MmcError,
  UntrustedReadError,
} from '../../../src/native/abi/errors.ts';
import type { EngineOperation } from '../../../src/native/abi/types.ts';
import { createInjection, injectingLibrary } from '../../helpers/engine/injecting.ts';
import {
  blockOf,
  emptyBlock,
  once,
  openTestEngine,
  type TestClient,
} from '../../helpers/engine/native.ts';
import { until } from '../../helpers/process/until.ts';

const injection = createInjection();
const SLOTS = 3;
const DEADLINE_MS = 4000;
let client: TestClient;

before(async () => {
  Object.assign(process.env, injection.env);
  client = await openTestEngine({
    engine: await injectingLibrary(),
    callSlots: SLOTS,
    deadlineMs: DEADLINE_MS,
  });
});

after(async () => {
  await injection.clear();
  assert.equal(await client.close(20_000), true);
  injection.dispose();
});

afterEach(async () => {
  await injection.clear();
  await until(() => client.calls().inFlight === 0);
  client.engine.onCall = undefined;
  assert.equal(client.arena.stats().blocks, 0, 'every block was freed');
});

function observed(): EngineOperation[] {
  const operations: EngineOperation[] = [];
  client.engine.onCall = (operation) => operations.push(operation);
  return operations;
}

/** Stores random bytes; returns them and a zeroed block of their length. */
async function stored(key: string, length: number) {
  const bytes = randomBytes(length);
  const block = blockOf(client, bytes);
  await client.remove(key);
  assert.equal(await client.put(key, block, length, once), 0);
  block.view.fill(0);
  return { bytes, block };
}

describe('an engine without mmc_embedded_nonblocking', () => {
  it('is never called on the JavaScript thread', () => {
    assert.equal(client.engine.sync, undefined);
    assert.equal(client.engine.embedded, false);
  });
});

describe('any code except 0', () => {
  for (const code of [1, -1, -2, -3, -6, -2000, -3014, 77]) {
    it(`is passed on unchanged: ${code}`, async () => {
      await injection.set([{ on: ['put', 'get', 'exist', 'remove', 'query'], code }]);
      const block = emptyBlock(client, 64);
      assert.equal(await client.put('k', block, 64, once), code);
      assert.equal(await client.get('k', block, 64), code);
      assert.equal(await client.exist('k'), code);
      assert.equal(await client.remove('k'), code);
      assert.equal((await client.query('k')).code, code);
      block.release();
    });

    it(`is the code of every item if the whole batch returns it: ${code}`, async () => {
      const functions = ['batch_put', 'batch_get', 'batch_exist', 'batch_remove'] as const;
      await injection.set([{ on: functions, code }]);
      const block = emptyBlock(client, 64);
      const results = [
        await client.batchPut(['k', 'l'], [block, block], once),
        await client.batchGet(['k', 'l'], [block, block]),
        await client.batchExist(['k', 'l']),
        await client.batchRemove(['k', 'l']),
      ];
      for (const items of results) assert.deepEqual([...items], [code, code]);
      block.release();
    });
  }

  it('is distinguished item by item', async () => {
    await injection.set([{ on: ['batch_put', 'batch_exist'], itemCode: 1, prefix: 'bad' }]);
    const block = emptyBlock(client, 8);
    const put = await client.batchPut(['bad/1', 'good/1', 'bad/2'], [block, block, block], once);
    assert.deepEqual([...put], [1, 0, 1]);
    assert.deepEqual([...(await client.batchExist(['good/1', 'bad/1']))], [0, 1]);
    await client.remove('good/1');
    block.release();
  });
});

describe('a success without effect', () => {
  it('is no result of a query', async () => {
    const { block } = await stored('there', 8);
    await injection.set([{ on: 'query', noCopy: true }]);
    const { code, info } = await client.query('there');
    assert.deepEqual([code, info.valid], [-1, false]);
    block.release();
  });

  for (const length of [1, 5, 8, 15, 16, 1000, 200_000]) {
    it(`is not accepted for a read of ${length} bytes: repeated once, then distrusted`, async () => {
      const { block, bytes } = await stored('lie', length);
      await injection.set([{ on: 'get', noCopy: true }]);
      const operations = observed();
      assert.equal(await client.get('lie', block, length), UNTRUSTED_READ);
      assert.deepEqual(operations, ['get', 'get']);
      await injection.set([{ on: 'get', noCopy: true, first: 1 }]);
      assert.equal(await client.get('lie', block, length), 0);
      assert.ok(block.view.equals(bytes), 'the repetition brought the bytes');
      block.release();
    });
  }

  it('in a batch is repeated only for the affected items', async () => {
    const items = await Promise.all(['lie/a', 'true/b', 'lie/c'].map((key) => stored(key, 500)));
    const blocks = items.map(({ block }) => block);
    const keys = ['lie/a', 'true/b', 'lie/c'];
    const keysBefore = injection.counters('batch_get').keys;
    const lying = { on: 'batch_get', noCopy: true, prefix: 'lie' } as const;
    await injection.set([{ ...lying, first: 1 }]);
    const read = await client.batchGet(keys, blocks);
    assert.deepEqual([...read], [0, 0, 0]);
    assert.ok(items.every(({ block, bytes }) => block.view.equals(bytes)));
    assert.equal(injection.counters('batch_get').keys - keysBefore, 3 + 2);
    await injection.set([lying]);
    const missing = emptyBlock(client, 500);
    const lies = await client.batchGet([...keys, 'missing'], [...blocks, missing]);
    assert.deepEqual([...lies], [UNTRUSTED_READ, 0, UNTRUSTED_READ, -1]);
    for (const block of [...blocks, missing]) block.release();
  });

  it('fails the probe', async () => {
    await injection.set([{ on: 'get', noCopy: true }]);
    await assert.rejects(client.probe(DEADLINE_MS), UntrustedReadError);
    await injection.set([{ on: 'get', wrongData: true }]);
    await assert.rejects(client.probe(DEADLINE_MS), UntrustedReadError);
    await injection.clear();
    await client.probe(DEADLINE_MS);
  });
});

describe('a slow read', () => {
  const slow = { on: 'get', delayOutsideUs: 1_550_000 } as const;

  it('is repeated once, and trusted if the repetition was fast', async () => {
    const { block, bytes } = await stored('slow', 100);
    await injection.set([{ ...slow, first: 1 }]);
    const operations = observed();
    assert.equal(await client.get('slow', block, 100), 0);
    assert.deepEqual(operations, ['get', 'get']);
    assert.ok(block.view.equals(bytes));
    block.release();
  });

  it('is distrusted if the repetition is slow too, even if the bytes look right', async () => {
    const { block } = await stored('slow', 100);
    await injection.set([slow]);
    assert.equal(await client.get('slow', block, 100), UNTRUSTED_READ);
    block.release();
  });

  it('in a batch makes every read item doubtful, but not the failed ones', async () => {
    const { block, bytes } = await stored('slow', 100);
    await injection.set([{ ...slow, on: 'batch_get', first: 1 }]);
    const other = emptyBlock(client, 100);
    const quick = await client.batchGet(['slow', 'missing'], [block, other]);
    assert.deepEqual([...quick], [0, -1]);
    assert.ok(block.view.equals(bytes));
    await injection.set([{ ...slow, on: 'batch_get' }]);
    const read = await client.batchGet(['slow', 'missing'], [block, other]);
    assert.deepEqual([...read], [UNTRUSTED_READ, -1]);
    block.release();
    other.release();
  });

  it('that failed is only a failure', async () => {
    await injection.set([slow]);
    const block = emptyBlock(client, 100);
    const operations = observed();
    assert.equal(await client.get('missing', block, 100), -1);
    assert.deepEqual(operations, ['get']);
    block.release();
  });
});

describe('calls past their deadline', () => {
  it('reject, and keep their block until they return', async () => {
    const { block } = await stored('late', 5000);
    const { view } = block;
    await injection.set([{ on: 'get', hang: true }]);
    const late = client.get('late', block, 5000);
    block.release();
    await assert.rejects(late, (error: unknown) => {
      assert.ok(error instanceof EngineDeadlineError);
      assert.deepEqual([error.operation, error.deadlineMs], ['get', DEADLINE_MS]);
      return true;
    });
    assert.deepEqual(client.calls(), { slots: SLOTS, inFlight: 1, late: 1, queued: 0 });
    assert.equal(client.arena.stats().blocks, 1, 'the call still has it');
    assert.notEqual(view[2500], 0xdb);
    await injection.clear();
    await until(() => client.calls().inFlight === 0);
    assert.equal(client.arena.stats().blocks, 0);
    assert.ok(
      view.every((byte) => byte === 0xdb),
      'freed and poisoned only after the return',
    );
  });

  it('in every slot refuse new and queued calls at once, until one returns', async () => {
    await injection.set([{ on: ['exist', 'batch_exist'], hang: true }]);
    const late = Array.from({ length: SLOTS }, (_, i) => client.exist(`stuck/${i}`));
    const block = emptyBlock(client, 64);
    const inLine = client.get('any', block, 64);
    block.release();
    const settled = await Promise.allSettled([...late, inLine]);
    for (const result of settled.slice(0, SLOTS)) {
      assert.ok(result.status === 'rejected' && result.reason instanceof EngineDeadlineError);
    }
    const last = settled.at(-1);
    assert.ok(last?.status === 'rejected' && last.reason instanceof EngineStuckError);
    assert.equal(client.arena.stats().blocks, 0, 'a call that never began has let go');
    const start = performance.now();
    await assert.rejects(client.query('any'), EngineStuckError);
    await assert.rejects(client.batchQuery(['any']), EngineStuckError);
    assert.ok(performance.now() - start < DEADLINE_MS);
    await client.probe(DEADLINE_MS);
    assert.equal(client.isStuck, true, 'a probe alone changes nothing');
    await injection.clear();
    await until(() => client.calls().late === 0);
    await client.probe(DEADLINE_MS);
    assert.equal((await client.query('any')).code, -3102);
  });

  it('in every slot allow others when they are replaced', async () => {
    await injection.set([{ on: 'exist', hang: true }]);
    const late = Array.from({ length: SLOTS }, (_, i) => client.exist(`stuck/${i}`));
    await Promise.allSettled(late);
    assert.equal(client.isStuck, true);
    assert.equal(client.substitute(), true);
    assert.equal((await client.query('any')).code, -3102);
    assert.deepEqual(client.calls(), { slots: SLOTS, inFlight: SLOTS, late: SLOTS, queued: 0 });
    const more = Array.from({ length: SLOTS - 1 }, () => client.substitute());
    assert.ok(more.every(Boolean));
    assert.equal(client.substitute(), false, 'as many as there are slots');
    await injection.clear();
    await until(() => client.calls().late === 0);
    const again = Array.from({ length: SLOTS + 1 }, (_, i) => client.exist(`free/${i}`));
    assert.equal(client.calls().queued, 1);
    await Promise.all(again);
  });

  it('do not delay a probe beyond its own deadline, and leak nothing', async () => {
    await injection.set([{ on: 'put', hangAfter: true }]);
    const start = performance.now();
    await assert.rejects(client.probe(200), EngineDeadlineError);
    await assert.rejects(client.probe(100), EngineDeadlineError);
    assert.equal(client.callsOfRequests, 0, 'nobody has asked for it');
    assert.ok(performance.now() - start < 10_000);
    assert.deepEqual(client.calls(), { slots: SLOTS, inFlight: 1, late: 0, queued: 0 });
    await injection.clear();
    // Its object is already stored; the next probe must work with it.
    await client.probe(5000);
    await client.probe(DEADLINE_MS);
  });
});

describe('a full pool', () => {
  for (const code of [-1, -3013, -3016]) {
    it(`(${code} to a put) does not fail the probe as long as queries succeed`, async () => {
      await injection.set([{ on: 'put', code }]);
      await client.probe(DEADLINE_MS);
      await injection.set([
        { on: 'put', code },
        { on: 'query', code: -3014 },
      ]);
      await assert.rejects(client.probe(DEADLINE_MS), (error: unknown) => {
        assert.ok(error instanceof MmcError);
        assert.deepEqual([error.errno, error.operation], [-3014, 'query']);
        return true;
      });
    });
  }

  it('is different from any other code', async () => {
    await injection.set([{ on: 'put', code: -3014 }]);
    await assert.rejects(client.probe(DEADLINE_MS), MmcError);
  });
});
