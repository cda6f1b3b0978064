/** Batches that replace objects while other calls that move values hang. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { batchesOf, reported } from '../../helpers/bodies/batches.ts';
import {
  createInjection,
  type Injection,
  injectingLibrary,
  type Rule,
} from '../../helpers/engine/injecting.ts';
import { requestTo } from '../../helpers/http/requests.ts';
import { type ReadyGateway, startGateway } from '../../helpers/process/gateway.ts';
import { metric, untilIdle } from '../../helpers/process/metrics.ts';
import { until } from '../../helpers/process/until.ts';

const inFlight = 'memcache_gateway_engine_calls{state="in_flight"}';
const waiting = 'memcache_gateway_batch_calls_waiting';
/** Puts hang for objects with this key prefix. */
const hangingPuts: Rule = { on: 'batch_put', hang: true, prefix: 'other/' };

describe('a batch that replaces, when only one call may move values', () => {
  let gateway: ReadyGateway;
  let injection: Injection;
  before(async () => {
    injection = createInjection();
    gateway = await startGateway({
      args: [
        ...['--engine', await injectingLibrary()],
        ...['--call-slots', '9', '--deadline-ms', '2000'],
      ],
      env: { GATEWAY_DEBUG_ARENA: '1', ...injection.env },
    });
  });
  after(async () => {
    await gateway.kill();
    injection.dispose();
  });
  const { put } = batchesOf(() => gateway);
  const { store, value } = requestTo(() => gateway);
  const now = (name: string) => metric(gateway.url, name);
  const started = (name: 'batch_put' | 'batch_remove') => injection.counters(name).started;

  it('stores the objects that it has removed before another batch gets the call', async () => {
    const key = await store('old');
    const removes = started('batch_remove');
    await injection.set([{ on: 'batch_remove', hang: true }, hangingPuts]);
    const replacing = put({ [key]: 'new' }, { ifExists: 'replace' });
    await until(() => started('batch_remove') === removes + 1);
    const other = put({ [`other/${key}`]: 'x' });
    await until(async () => (await now(inFlight)) >= 2 || (await now(waiting)) >= 1);
    await injection.set([hangingPuts]);
    assert.deepEqual(reported(await replacing), [[key, 200, 0]]);
    assert.equal((await value(key)).toString(), 'new');
    await injection.clear();
    await other;
    await untilIdle(gateway.url);
  });

  it('does not change an object when it cannot start the remove', async () => {
    const key = await store('old');
    const puts = started('batch_put');
    await injection.set([{ on: 'batch_put', hang: true, prefix: key }, hangingPuts]);
    const replacing = put({ [key]: 'new' }, { ifExists: 'replace' });
    await until(() => started('batch_put') === puts + 1);
    const other = put({ [`other/${key}`]: 'x' });
    await until(async () => (await now(waiting)) === 1);
    // The put finds the object; then the other batch gets the call, which does not return.
    await injection.set([hangingPuts]);
    const { items, failed } = await replacing;
    assert.equal(failed, 1);
    assert.match(String(items[0]?.['type']), /engine-(stuck|timeout)$/);
    assert.equal((await value(key)).toString(), 'old');
    await injection.clear();
    await other;
    await untilIdle(gateway.url);
    assert.equal((await value(key)).toString(), 'old');
    await put({ [key]: 'new' }, { ifExists: 'replace' });
    assert.equal((await value(key)).toString(), 'new');
  });
});
