import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createWaitingLog, type PoolLog, silentLog } from '../../../src/log/waiting-log.ts';

describe('a log that waits', () => {
  it('passes lines on in order when there is a logger, and then at once', () => {
    const lines: string[] = [];
    const write = (level: string) => (fields: object, message: string) =>
      void lines.push(`${level} ${JSON.stringify(fields)} ${message}`);
    const target = Object.fromEntries(
      ['debug', 'info', 'warn', 'error', 'fatal'].map((level) => [level, write(level)]),
    ) as PoolLog;
    const { attach, log } = createWaitingLog();
    log.warn({ a: 1 }, 'first');
    log.debug({}, 'second');
    assert.deepEqual(lines, []);
    attach(target);
    log.fatal({}, 'third');
    attach(silentLog);
    log.error({}, 'too late');
    assert.deepEqual(lines, ['warn {"a":1} first', 'debug {} second', 'fatal {} third']);
  });
});
