/** The life of a client: before init, init, a second init, after uninit (docs/engine-facts.md §3). */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { embeddedOnly, openClient, uniqueKey, withEngine } from '../helpers/engine/conformance.ts';
import type { EngineCalls } from '../helpers/engine/engine-calls.ts';
import { untouched } from '../helpers/engine/engine-structs.ts';

const notInitialised = -3019;

describe('a client', { skip: withEngine }, () => {
  let engine: EngineCalls;
  before(() => {
    engine = openClient();
  });
  after(() => engine.uninit());

  const refusesEverything = async () => {
    const value = Buffer.from('v');
    assert.equal((await engine.localServiceId()).code, notInitialised, 'localServiceId');
    assert.equal(await engine.register(0, 4096), notInitialised, 'register');
    assert.equal(await engine.unregister(0, 4096), notInitialised, 'unregister');
    assert.equal(await engine.put('k', value), notInitialised, 'put');
    assert.deepEqual(await engine.get('k', 4), { code: notInitialised, bytes: untouched(4) });
    assert.equal((await engine.query('k')).code, notInitialised, 'query');
    assert.equal(await engine.exist('k'), notInitialised, 'exist');
    assert.equal(await engine.remove('k'), notInitialised, 'remove');
    assert.equal((await engine.batchPut(['k'], [value])).code, notInitialised, 'batchPut');
    assert.equal((await engine.batchGet(['k'], [4])).code, notInitialised, 'batchGet');
    assert.equal((await engine.batchQuery(['k'])).code, notInitialised, 'batchQuery');
    assert.equal((await engine.batchExist(['k'])).code, notInitialised, 'batchExist');
    assert.equal((await engine.batchRemove(['k'])).code, notInitialised, 'batchRemove');
  };

  it('refuses every call before init', () => refusesEverything());

  it('accepts a log level at any time', async () => {
    assert.equal(await engine.setLogLevel(3), 0);
  });

  it('refuses a device id above 383, and can be initialised afterwards', async () => {
    assert.equal(await engine.init(384), -3000);
    assert.equal(await engine.init(0xffffffff), -3000);
    assert.equal((await engine.localServiceId()).code, notInitialised);
    assert.equal(await engine.init(0), 0);
    assert.equal((await engine.localServiceId()).code, 0);
  });

  it('returns 0 from a second init, also with another device, and does not change', async () => {
    const key = uniqueKey('stays');
    const service = await engine.localServiceId();
    assert.equal(await engine.put(key, Buffer.from('here')), 0);
    assert.equal(await engine.init(0), 0);
    assert.equal(await engine.init(5), 0);
    assert.equal(await engine.init(0, false), 0);
    assert.deepEqual(await engine.localServiceId(), service);
    assert.deepEqual(await engine.get(key, 4), { code: 0, bytes: Buffer.from('here') });
    assert.equal(await engine.remove(key), 0);
  });

  it('refuses every call after uninit, which may be called again', async () => {
    await engine.uninit();
    await refusesEverything();
    await engine.uninit();
  });

  it('can be initialised again with any device up to 383, and finds an empty pool', {
    skip: embeddedOnly('nothing is known of a second life in one process'),
  }, async () => {
    assert.equal(await engine.init(383), 0);
    const key = uniqueKey('forgotten');
    assert.equal(await engine.put(key, Buffer.from('v')), 0);
    await engine.uninit();
    assert.equal(await engine.init(0), 0);
    assert.equal(await engine.exist(key), -3102);
    assert.equal(await engine.put(key, Buffer.from('v')), 0);
  });
});
