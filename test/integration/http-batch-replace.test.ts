/** Batches that replace, while other calls that move values hang. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { batchesOf, told } from '../helpers/batches.ts';
import { type ReadyGateway, startGateway } from '../helpers/gateway.ts';
import {
  createInjection,
  type Injection,
  injectingLibrary,
  type Rule,
} from '../helpers/injecting.ts';
import { metric, untilIdle } from '../helpers/metrics.ts';
import { requestTo } from '../helpers/requests.ts';
import { until } from '../helpers/until.ts';

const inFlight = 'memcache_gateway_engine_calls{state="in_flight"}';
const waiting = 'memcache_gateway_batch_calls_waiting';
/** Of objects whose keys begin so. */
const hangingPuts: Rule = { on: 'batch_put', hang: true, prefix: 'other/' };

describe('a batch that replaces, with one call for all that move values', () => {
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

  it('stores what it has removed before others get their turn', async () => {
    const key = await store('old');
    const removes = started('batch_remove');
    await injection.set([{ on: 'batch_remove', hang: true }, hangingPuts]);
    const replacing = put({ [key]: 'new' }, { ifExists: 'replace' });
    await until(() => started('batch_remove') === removes + 1);
    const other = put({ [`other/${key}`]: 'x' });
    await until(async () => (await now(inFlight)) >= 2 || (await now(waiting)) >= 1);
    await injection.set([hangingPuts]);
    assert.deepEqual(told(await replacing), [[key, 200, 0]]);
    assert.equal((await value(key)).toString(), 'new');
    await injection.clear();
    await other;
    await untilIdle(gateway.url);
  });

  it('leaves alone what it could not begin to remove', async () => {
    const key = await store('old');
    const puts = started('batch_put');
    await injection.set([{ on: 'batch_put', hang: true, prefix: key }, hangingPuts]);
    const replacing = put({ [key]: 'new' }, { ifExists: 'replace' });
    await until(() => started('batch_put') === puts + 1);
    const other = put({ [`other/${key}`]: 'x' });
    await until(async () => (await now(waiting)) === 1);
    // The put finds the object; then it is the turn of the other, which does not come back.
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
