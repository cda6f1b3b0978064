/** Two services of one pool: placement, replicas, and a service that dies (docs/engine-facts.md §4). */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import {
  newPool,
  openClient,
  startClient,
  uniqueKey,
  withEngine,
  withOwnPool,
} from '../helpers/engine/conformance.ts';
import type { EngineCalls } from '../helpers/engine/engine-calls.ts';
import type { EngineProcess } from '../helpers/engine/engine-process.ts';
import type { PutChoices } from '../helpers/engine/engine-structs.ts';
import { until } from '../helpers/process/until.ts';

const mebibyte = 2 ** 20;
const value = Buffer.from('seen from everywhere');
/** The distributed engine may take this long to notice a death. */
const patience = { deadlineMs: 60_000 };

describe('two services of one pool', { skip: withEngine }, () => {
  const pool = newPool();
  let here: EngineCalls;
  let other: EngineProcess;
  let there: EngineCalls;
  let hereId: number;
  let thereId: number;

  before(async () => {
    here = openClient(pool);
    assert.equal(await here.init(0), 0);
    other = await startClient(pool);
    there = other.engine;
    assert.equal(await there.init(1), 0);
    hereId = (await here.localServiceId()).id;
    thereId = (await there.localServiceId()).id;
  });
  after(async () => {
    await there.uninit().catch(() => {});
    await other.kill();
    await here.uninit();
  });

  const placesOf = async (key: string) => {
    const { info } = await here.query(key);
    return info.replicas.map(({ serviceId }) => serviceId);
  };
  const isReadable = async (key: string) => {
    for (const engine of [here, there]) {
      assert.deepEqual(await engine.get(key, value.length), { code: 0, bytes: value });
      assert.equal(await engine.exist(key), 0);
    }
  };

  it('have different ids, and hold their own objects without preference', async () => {
    assert.notEqual(hereId, thereId);
    for (const [engine, id] of [
      [here, hereId],
      [there, thereId],
    ] as const) {
      const key = uniqueKey('own');
      assert.equal(await engine.put(key, value), 0);
      assert.deepEqual(await placesOf(key), [id]);
      await isReadable(key);
      assert.equal(await engine.remove(key), 0);
    }
  });

  it('share their keys: after a put by one, the other cannot put the key, but can remove it', async () => {
    const key = uniqueKey('shared');
    assert.equal(await there.put(key, value), 0);
    assert.equal(await here.put(key, value), -3006);
    assert.deepEqual((await here.batchPut([key], [value])).results, [-3006]);
    assert.equal(await here.remove(key), 0);
    assert.equal(await there.exist(key), -3102);
    assert.equal(await there.remove(key), -3102);
    assert.equal((await there.get(key, value.length)).code, -1);
  });

  it('store an object in the preferred service', async () => {
    for (const id of [hereId, thereId]) {
      const key = uniqueKey('preferred');
      assert.equal(await here.put(key, value, { prefer: [id] }), 0);
      assert.deepEqual(await placesOf(key), [id]);
      await isReadable(key);
      await here.remove(key);
    }
  });

  it('hold one replica each', async () => {
    const both: PutChoices[] = [{ replicas: 2 }, { replicas: 2, prefer: [thereId, hereId] }];
    for (const choices of both) {
      const [key, other] = [uniqueKey('replicated'), uniqueKey('replicated')];
      assert.equal(await here.put(key, value, choices), 0);
      assert.deepEqual((await there.batchPut([other], [value], choices)).results, [0]);
      for (const name of [key, other]) {
        assert.deepEqual((await placesOf(name)).sort(), [hereId, thereId].sort());
        await isReadable(name);
        assert.equal(await here.remove(name), 0);
        assert.equal(await there.exist(name), -3102);
      }
    }
  });

  it('cannot hold three replicas, nor two with one preferred service: −1, nothing stored', async () => {
    const wrong: PutChoices[] = [
      { replicas: 3 },
      { replicas: 8 },
      { replicas: 2, prefer: [hereId] },
    ];
    for (const choices of wrong) {
      const key = uniqueKey('unmet');
      assert.equal(await here.put(key, value, choices), -1);
      assert.equal(await here.exist(key), -3102);
    }
  });

  it('do not include a client without memory: its put, get and register fail', async () => {
    const key = uniqueKey('visible');
    assert.equal(await here.put(key, value), 0);
    const guest = await startClient(pool);
    try {
      assert.equal(await guest.engine.init(2, false), 0);
      const unmet = uniqueKey('by a guest');
      assert.notEqual(await guest.engine.put(unmet, value), 0);
      assert.notEqual((await guest.engine.get(key, value.length)).code, 0);
      assert.notEqual(await guest.engine.register(0, 4096), 0);
      assert.equal(await here.exist(unmet), -3102);
      assert.equal(await here.put(unmet, value, { replicas: 3 }), -1);
      await guest.engine.uninit();
    } finally {
      await guest.kill();
    }
    await here.remove(key);
  });

  it("use the other's memory when their own is full, and still force a preference", {
    skip: withOwnPool,
  }, async () => {
    const block = { length: 8 * mebibyte, fill: 3 };
    const keys: string[] = [];
    for (let code = 0; code === 0; ) {
      const key = uniqueKey('fills');
      code = await here.put(key, block, { prefer: [hereId] });
      if (code === 0) keys.push(key);
      else assert.equal(code, -1);
    }
    assert.ok(keys.length >= 7);
    const spilt = uniqueKey('spilt');
    assert.equal(await here.put(spilt, block), 0);
    assert.deepEqual(await placesOf(spilt), [thereId]);
    const unmet = uniqueKey('unmet');
    assert.equal(await here.put(unmet, block, { prefer: [hereId] }), -1);
    assert.equal(await here.put(unmet, block, { replicas: 2 }), -1);
    assert.equal(await there.put(unmet, block, { replicas: 2, prefer: [thereId, hereId] }), -1);
    assert.equal(await here.exist(unmet), -3102);
    const [first = ''] = keys;
    assert.equal(await here.put(first, block, { prefer: [hereId] }), -1, 'room is sought first');
    assert.equal(await here.put(first, block), -3006, 'there is room at the other');
    await here.batchRemove([...keys, spilt]);
  });

  // The last test, because it ends the other service.
  it('lose the objects of a dead one, and nothing else', async () => {
    const [mine, theirs, both] = [uniqueKey('mine'), uniqueKey('theirs'), uniqueKey('both')];
    const spread = uniqueKey('put there by me');
    assert.equal(await here.put(mine, value), 0);
    assert.equal(await there.put(theirs, value), 0);
    assert.equal(await there.put(both, value, { replicas: 2 }), 0);
    assert.equal(await here.put(spread, value, { prefer: [thereId] }), 0);
    await other.kill();
    await until(async () => (await here.exist(theirs)) === -3102, patience);
    await until(async () => (await here.exist(spread)) === -3102, patience);
    assert.deepEqual(await here.get(theirs, value.length).then(({ code }) => code), -1);
    for (const key of [mine, both]) {
      assert.deepEqual(await here.get(key, value.length), { code: 0, bytes: value });
    }
    assert.deepEqual(await placesOf(both), [hereId]);
    assert.equal(await here.put(theirs, value), 0, 'the key is free');
    assert.equal(await here.put(uniqueKey('two'), value, { replicas: 2 }), -1);
    await here.batchRemove([mine, both, theirs]);
  });
});
