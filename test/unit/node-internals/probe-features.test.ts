import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { nodeFeatureNames } from '../../../src/node-internals/feature-names.ts';
import {
  nodeFeature,
  nodeFeatures,
  setFeature,
} from '../../../src/node-internals/node-features.ts';
import {
  probeServerFeatures,
  probeWorkerFeatures,
} from '../../../src/node-internals/probe-features.ts';
import { probeFeatures } from '../../helpers/process/node-features.ts';

beforeEach(() => {
  for (const name of nodeFeatureNames) setFeature(name, 'unprobed');
});

const namesIn = (state: string) =>
  nodeFeatures()
    .filter((feature) => feature.state === state)
    .map(({ name }) => name);

/** Features whose probes use streams, or no connection. */
const withoutSockets: readonly string[] = [
  ...['body-tap', 'one-write', 'half-open', 'connection-checks', 'linger-close'],
  'listener-descriptor',
];

describe('the probes of a worker', () => {
  it('turn every feature on in this version of Node', async () => {
    await probeFeatures();
    const off = nodeFeatures().filter(({ enabled }) => !enabled);
    assert.deepEqual(off, []);
  });

  it('leave every feature off when all are disabled', async () => {
    await probeFeatures(['all']);
    assert.deepEqual(namesIn('disabled'), [...nodeFeatureNames]);
  });

  it('turn direct-read off if body-tap is off', async () => {
    await probeFeatures(['body-tap']);
    assert.deepEqual(namesIn('disabled'), ['direct-read', 'body-tap']);
    assert.equal(nodeFeature('direct-read').enabled, false);
    assert.equal(nodeFeature('direct-read').reason, 'it needs body-tap, which is off');
  });

  it('fail separately if a worker can create no sockets, and never reject', async () => {
    await probeWorkerFeatures({
      disabled: [],
      socketPair: () => {
        throw new Error('no sockets');
      },
      echo: () => Promise.reject(new Error('no supervisor')),
    });
    const needSockets = nodeFeatureNames.filter((name) => !withoutSockets.includes(name));
    assert.deepEqual(namesIn('failed'), needSockets);
    for (const name of needSockets) {
      assert.match(nodeFeature(name).reason ?? '', /no sockets/);
    }
    assert.deepEqual(namesIn('on'), withoutSockets);
  });

  it('turn bare-handles off if a handle is lost on its way to the supervisor', async () => {
    const { socketPair } = await import('../../../src/os/socket-pair.ts');
    await probeWorkerFeatures({
      disabled: nodeFeatureNames.filter((name) => name !== 'bare-handles'),
      socketPair,
      echo: () => Promise.resolve(undefined),
    });
    assert.equal(nodeFeature('bare-handles').state, 'failed');
    assert.match(nodeFeature('bare-handles').reason ?? '', /lost/);
  });
});

describe('the probes of the supervisor', () => {
  it('turn on the features of its fallback server, without a pair of sockets', async () => {
    await probeServerFeatures([]);
    const used = ['half-open', 'connection-checks', 'linger-close', 'parser-removal'];
    assert.deepEqual(namesIn('on'), used);
  });
});
