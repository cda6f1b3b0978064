import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { interpretConfig } from '../../../src/config/config.ts';
import { parseCommandLine } from '../../../src/config/flags.ts';
import { changesOf } from '../../../src/config/reload.ts';

function sound(...argv: string[]) {
  const interpreted = interpretConfig(parseCommandLine(argv), {});
  assert('config' in interpreted, JSON.stringify(interpreted));
  return interpreted;
}

describe('the changes of a configuration', () => {
  it('are applied if possible, otherwise named by their flags', () => {
    const started = sound('--port', '1', '--layout', 'a=1');
    const next = sound('--port', '2', '--layout', 'a=2', '--log-level', 'warn');
    const { settings, applied, postponed } = changesOf(started, started.config, next);
    assert.deepEqual(settings, { layout: [{ name: 'a', sizes: [2] }], logLevel: 'warn' });
    assert.deepEqual(applied, ['--layout', '--log-level']);
    assert.deepEqual(postponed, ['--port']);
  });

  it('are none if the same value is given in another form', () => {
    const started = sound('--arena-bytes', '64MiB', '--layout', 'a=1,1');
    const next = sound('--arena-bytes', '65536KiB', '--layout', 'a=1x2');
    const { applied, postponed } = changesOf(started, started.config, next);
    assert.deepEqual([applied, postponed], [[], []]);
  });

  it('are computed from the running values, not from those at start', () => {
    const started = sound('--log-level', 'info');
    const running = { layout: [], logLevel: 'debug' } as const;
    assert.deepEqual(changesOf(started, running, started).applied, ['--log-level']);
    assert.deepEqual(changesOf(started, running, sound('--log-level', 'debug')).applied, []);
  });

  it('do not include a default that follows another setting', () => {
    const started = sound();
    const next = sound('--arena-bytes', '64MiB');
    assert.notEqual(started.config.maxObjectBytes, next.config.maxObjectBytes);
    assert.deepEqual(changesOf(started, started.config, next).postponed, ['--arena-bytes']);
    assert.deepEqual(changesOf(next, next.config, started).postponed, ['--arena-bytes']);
  });
});
