import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { nodeFeatureNames } from '../../../src/node-internals/feature-names.ts';
import { connectRaw, requestHead } from '../../helpers/http/raw-connection.ts';
import { childrenOf, type ReadyGateway, startGateway } from '../../helpers/process/gateway.ts';
import { metricsOf } from '../../helpers/process/metrics.ts';
import { until } from '../../helpers/process/until.ts';

const preloaded = fileURLToPath(new URL('../../fixtures/without-half-open.mjs', import.meta.url));
const STATES = ['on', 'failed', 'disabled'] as const;

describe('a gateway of two workers, with one Node feature failed and one disabled', () => {
  let gateway: ReadyGateway;
  before(async () => {
    gateway = await startGateway({
      args: ['--devices', '0,1', '--disable-node-features', 'one-write'],
      env: { NODE_OPTIONS: `${process.env['NODE_OPTIONS'] ?? ''} --import=${preloaded}` },
    });
    const devices = async () => {
      const answer = await fetch(`${gateway.url}/v1/clients`);
      const { clients } = (await answer.json()) as { clients?: { state: string }[] };
      return clients?.filter(({ state }) => state === 'ready').length;
    };
    await until(async () => (await devices()) === 2, { what: 'both workers are ready' });
  });
  after(() => gateway.kill());

  const linesOf = (feature: string) =>
    gateway.logged().filter((line) => line['feature'] === feature);

  it('logs one line for each worker and feature that is off, and none for the others', async () => {
    const workers = childrenOf(gateway.pid).sort();
    assert.equal(workers.length, 2);
    for (const [feature, state, level, reason] of [
      ['half-open', 'failed', 'warn', /a half-closed client got no response/],
      ['one-write', 'disabled', 'info', /the configuration disables it/],
    ] as const) {
      await until(() => linesOf(feature).length >= workers.length);
      const lines = linesOf(feature);
      assert.deepEqual(
        lines.map((line) => line['pid'] as number).sort(),
        workers,
        JSON.stringify(lines),
      );
      for (const line of lines) {
        assert.equal(line['state'], state);
        assert.equal(line['level'], level);
        assert.match(String(line['reason']), reason);
        assert.match(String(line['msg']), new RegExp(`^Node feature ${feature} is off \\(.*\\)`));
      }
    }
    const others = nodeFeatureNames.filter((name) => name !== 'half-open' && name !== 'one-write');
    assert.deepEqual(others.flatMap(linesOf), []);
  });

  it('counts the workers in each state of each feature', async () => {
    const stateOf = (name: string) =>
      name === 'half-open' ? 'failed' : name === 'one-write' ? 'disabled' : 'on';
    const expected = nodeFeatureNames.flatMap((feature) =>
      STATES.map((state): [string, number] => [
        `memcache_gateway_node_feature{feature="${feature}",state="${state}"}`,
        state === stateOf(feature) ? 2 : 0,
      ]),
    );
    const samples = await metricsOf(gateway.url);
    const found = [...samples].filter(([name]) =>
      name.startsWith('memcache_gateway_node_feature{'),
    );
    assert.deepEqual(new Map(found), new Map(expected));
  });

  it('serves a client that has ended its side, even without the failed feature', async () => {
    const connection = await connectRaw(gateway.port);
    const path = '/v1/objects/half-closed';
    connection.socket.end(`${requestHead('PUT', path, { 'Content-Length': 3 })}abc`);
    assert.equal((await connection.next({ method: 'PUT', path })).status, 201);
    assert.equal((await connection.closed()).reset, false);
  });
});
