import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Interpreted, interpretConfig } from '../../src/config.ts';
import { parseCommandLine } from '../../src/config-flags.ts';
import { silentLog } from '../../src/pool/log.ts';
import { createReload, meaningOfHangup } from '../../src/reload.ts';

describe('SIGHUP', () => {
  const meaning = (
    settingsFile: string | undefined,
    startedOnTerminal: boolean,
    onTerminal: boolean,
  ) => meaningOfHangup({ settingsFile, startedOnTerminal, onTerminal });

  it('reads again where there is a settings file', () => {
    assert.equal(meaning('s.conf', false, false), 'reload');
    assert.equal(meaning('s.conf', true, true), 'reload');
  });

  it('does nothing where there is none', () => {
    assert.equal(meaning(undefined, false, false), 'nothing');
  });

  it('stops on a terminal that has closed, or that it must be from', () => {
    assert.equal(meaning('s.conf', true, false), 'stop');
    assert.equal(meaning(undefined, true, false), 'stop');
    assert.equal(meaning(undefined, true, true), 'stop');
  });
});

describe('reading again', () => {
  const interpreted = (...argv: string[]): Interpreted =>
    interpretConfig(parseCommandLine(argv), {});
  const started = interpreted();
  assert('config' in started);

  it('that is asked for meanwhile happens once more, and not at the same time', async () => {
    const readings: ((next: Interpreted) => void)[] = [];
    const levels: string[] = [];
    const reload = createReload({
      started,
      reread: () => new Promise((resolve) => readings.push(resolve)),
      apply: ({ logLevel }) => void levels.push(logLevel),
      log: silentLog,
    });
    const done = reload();
    void reload();
    void reload();
    assert.equal(readings.length, 1);
    readings[0]?.(interpreted('--log-level', 'warn'));
    await new Promise(setImmediate);
    assert.equal(readings.length, 2);
    readings[1]?.(interpreted('--log-level', 'error'));
    await done;
    assert.equal(readings.length, 2);
    assert.deepEqual(levels, ['warn', 'error']);
  });

  it('applies nothing where there is a fault, or no change', async () => {
    let next = interpreted('--log-level', 'loud', '--layout', 'a=1');
    let applied = 0;
    const reload = createReload({
      started,
      reread: () => Promise.resolve(next),
      apply: () => {
        applied += 1;
      },
      log: silentLog,
    });
    await reload();
    next = interpreted();
    await reload();
    assert.equal(applied, 0);
    next = interpreted('--layout', 'a=1');
    await reload();
    assert.equal(applied, 1);
  });

  it('is told at the level that says more, the old one or the new one', async () => {
    let level = 'info';
    let next = interpreted('--log-level', 'silent', '--keep-alive-ms', '1000');
    const told: string[] = [];
    const tell = (_: object, message: string) => void told.push(`${level}: ${message}`);
    const reload = createReload({
      started,
      reread: () => Promise.resolve(next),
      apply: ({ logLevel }) => {
        level = logLevel;
      },
      log: { ...silentLog, info: tell, warn: tell },
    });
    await reload();
    next = interpreted('--log-level', 'debug');
    await reload();
    assert.deepEqual(told, [
      'info: the settings were read again',
      'info: takes effect at the next start: --keep-alive-ms',
      'debug: the settings were read again',
    ]);
  });
});
