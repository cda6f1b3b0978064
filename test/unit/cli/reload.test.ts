import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createReload, meaningOfHangup } from '../../../src/cli/reload.ts';
import { type Interpreted, interpretConfig } from '../../../src/config/config.ts';
import { parseCommandLine } from '../../../src/config/flags.ts';
import type { Reloadable } from '../../../src/config/reload.ts';
import { silentLog } from '../../../src/log/waiting-log.ts';

describe('SIGHUP', () => {
  const meaning = (hasFiles: boolean, startedOnTerminal: boolean, onTerminal: boolean) =>
    meaningOfHangup({ hasFiles, startedOnTerminal, onTerminal });

  it('reloads if there is a file to read again', () => {
    assert.equal(meaning(true, false, false), 'reload');
    assert.equal(meaning(true, true, true), 'reload');
  });

  it('has no effect without one', () => {
    assert.equal(meaning(false, false, false), 'nothing');
  });

  it('shuts down if the terminal has closed, or must have', () => {
    assert.equal(meaning(true, true, false), 'stop');
    assert.equal(meaning(false, true, false), 'stop');
    assert.equal(meaning(false, true, true), 'stop');
  });
});

describe('a reload', () => {
  const interpreted = (...argv: string[]): Interpreted =>
    interpretConfig(parseCommandLine(argv), {});
  const started = interpreted();
  assert('config' in started);

  it('that is requested during another one happens once more, after it', async () => {
    const readings: ((next: Interpreted) => void)[] = [];
    const levels: string[] = [];
    const reload = createReload({
      started,
      reread: () => new Promise((resolve) => readings.push(resolve)),
      running: () => started.config,
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

  it('applies nothing if there is a fault, or no change', async () => {
    let next = interpreted('--log-level', 'loud', '--layout', 'a=1');
    let applied = 0;
    let running: Reloadable = started.config;
    const reload = createReload({
      started,
      reread: () => Promise.resolve(next),
      running: () => running,
      apply: (settings) => {
        running = settings;
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

  it('returns to the level of the settings, after a request has set another', async () => {
    const levels: string[] = [];
    const reload = createReload({
      started,
      reread: () => Promise.resolve(interpreted()),
      running: () => ({ ...started.config, logLevel: 'debug' }),
      apply: ({ logLevel }) => void levels.push(logLevel),
      log: silentLog,
    });
    await reload();
    assert.deepEqual(levels, ['info']);
  });

  it('is logged at the more verbose of the old and the new level', async () => {
    let level: Reloadable['logLevel'] = 'info';
    let next = interpreted('--log-level', 'silent', '--keep-alive-ms', '1000');
    const reported: string[] = [];
    const tell = (_: object, message: string) => void reported.push(`${level}: ${message}`);
    const reload = createReload({
      started,
      reread: () => Promise.resolve(next),
      running: () => ({ layout: [], logLevel: level }),
      apply: ({ logLevel }) => {
        level = logLevel;
      },
      log: { ...silentLog, info: tell, warn: tell },
    });
    await reload();
    next = interpreted('--log-level', 'debug');
    await reload();
    assert.deepEqual(reported, [
      'info: the settings were read again',
      'info: takes effect at the next start: --keep-alive-ms',
      'debug: the settings were read again',
    ]);
  });
});
