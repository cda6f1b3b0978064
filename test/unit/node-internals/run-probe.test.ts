import assert from 'node:assert/strict';
import { beforeEach, describe, it, mock, type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { featureNameFault, nodeFeatureNames } from '../../../src/node-internals/feature-names.ts';
import {
  nodeFeature,
  nodeFeatures,
  setFeature,
} from '../../../src/node-internals/node-features.ts';
import { PROBE_DEADLINE_MS, type Probe, runProbe } from '../../../src/node-internals/run-probe.ts';

const NAME = 'one-write';

const stateOf = (name: typeof NAME) => {
  const { enabled, state, reason } = nodeFeature(name);
  return { enabled, state, reason };
};

beforeEach(() => {
  for (const name of nodeFeatureNames) setFeature(name, 'unprobed');
});

describe('a probe', () => {
  it('turns the feature on only after it has passed', async () => {
    let pass = (): void => undefined;
    const probe = mock.fn<Probe>(
      () =>
        new Promise((resolve) => {
          pass = resolve;
        }),
    );
    const probing = runProbe(NAME, probe);
    assert.equal(probe.mock.callCount(), 1);
    assert.deepEqual(stateOf(NAME), { enabled: false, state: 'unprobed', reason: undefined });
    pass();
    await probing;
    assert.deepEqual(stateOf(NAME), { enabled: true, state: 'on', reason: undefined });
  });

  it('does not change the other features', async () => {
    await runProbe(NAME, () => undefined);
    const others = nodeFeatures().filter(({ name }) => name !== NAME);
    assert.equal(others.length, nodeFeatureNames.length - 1);
    assert.ok(others.every(({ enabled, state }) => !enabled && state === 'unprobed'));
  });

  for (const [how, probe, reason] of [
    [
      'throws',
      () => {
        throw new RangeError('offset is out of bounds');
      },
      'offset is out of bounds',
    ],
    ['rejects', () => Promise.reject(new Error('no counters')), 'no counters'],
    [
      'throws a value that is no Error',
      () => {
        throw 'broken' as unknown as Error;
      },
      "'broken'",
    ],
    [
      'throws no value',
      () => {
        throw undefined as unknown as Error;
      },
      'undefined',
    ],
    [
      'throws an object that has no text',
      () => {
        throw Object.create(null) as Error;
      },
      '[Object: null prototype] {}',
    ],
  ] as [string, Probe, string][]) {
    it(`that ${how} turns the feature off and gives the reason`, async () => {
      setFeature(NAME, 'on');
      await runProbe(NAME, probe);
      assert.deepEqual(stateOf(NAME), { enabled: false, state: 'failed', reason });
    });
  }

  describe('that never settles', () => {
    const useClock = (t: TestContext): void => t.mock.timers.enable({ apis: ['setTimeout'] });

    it('fails at the deadline and not earlier', async (t) => {
      useClock(t);
      const probing = runProbe(NAME, () => new Promise<void>(() => undefined));
      t.mock.timers.tick(PROBE_DEADLINE_MS - 1);
      await nextTurn();
      assert.equal(stateOf(NAME).state, 'unprobed');
      t.mock.timers.tick(1);
      await probing;
      assert.deepEqual(stateOf(NAME), {
        enabled: false,
        state: 'failed',
        reason: `the probe did not finish within ${PROBE_DEADLINE_MS} ms`,
      });
    });

    for (const outcome of ['passes', 'rejects'] as const) {
      it(`stays failed if it ${outcome} after the deadline`, async (t) => {
        useClock(t);
        const unhandled = t.mock.fn();
        process.on('unhandledRejection', unhandled);
        t.after(() => process.off('unhandledRejection', unhandled));
        let settle = (): void => undefined;
        const probing = runProbe(
          NAME,
          () =>
            new Promise((resolve, reject) => {
              settle = outcome === 'passes' ? resolve : () => reject(new Error('too late'));
            }),
        );
        t.mock.timers.tick(PROBE_DEADLINE_MS);
        await probing;
        settle();
        await nextTurn();
        await nextTurn();
        assert.equal(stateOf(NAME).state, 'failed');
        assert.match(String(stateOf(NAME).reason), /did not finish within/);
        assert.equal(unhandled.mock.callCount(), 0);
      });
    }
  });

  it('leaves no timer after it has settled', async () => {
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout');
    const before = timers().length;
    await runProbe(NAME, () => undefined);
    await runProbe(NAME, () => Promise.reject(new Error('it failed')));
    assert.equal(timers().length, before);
  });

  for (const [how, disabled] of [
    ['by its name', [NAME]],
    ['by its name among others', ['half-open', NAME]],
    ['together with all', ['all']],
  ] as [string, string[]][]) {
    it(`is not run for a feature that is disabled ${how}`, async () => {
      const probe = mock.fn(() => undefined);
      setFeature(NAME, 'on');
      await runProbe(NAME, probe, disabled);
      assert.equal(probe.mock.callCount(), 0);
      assert.deepEqual(stateOf(NAME), {
        enabled: false,
        state: 'disabled',
        reason: 'the configuration disables it',
      });
    });
  }

  it('is run for a feature if only others are disabled', async () => {
    await runProbe(NAME, () => undefined, ['half-open', 'body-tap']);
    assert.equal(stateOf(NAME).state, 'on');
  });
});

describe('a feature', () => {
  it('forgets the reason when its state changes', () => {
    setFeature(NAME, 'failed', 'for some reason');
    setFeature(NAME, 'on');
    assert.deepEqual(stateOf(NAME), { enabled: true, state: 'on', reason: undefined });
  });

  it('is one object for all its users', () => {
    const held = nodeFeature(NAME);
    setFeature(NAME, 'on');
    assert.ok(held.enabled);
    assert.equal(nodeFeature(NAME), held);
    assert.deepEqual(
      nodeFeatures().map(({ name }) => name),
      [...nodeFeatureNames],
    );
  });

  it('with an unknown name is refused', () => {
    assert.throws(() => nodeFeature('two-writes' as typeof NAME), /two-writes/);
    assert.match(featureNameFault('two-writes') ?? '', /"two-writes" is not known/);
    assert.equal(featureNameFault('all'), undefined);
    for (const name of nodeFeatureNames) assert.equal(featureNameFault(name), undefined);
  });
});
