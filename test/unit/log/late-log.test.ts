import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { LateLog } from '../../../src/log/late-log.ts';

describe('a log that is opened late', () => {
  it('writes the waiting lines at the latest level, and none after its end', async (t) => {
    const folder = mkdtempSync(path.join(tmpdir(), 'late-log-'));
    const file = path.join(folder, 'log');
    const fileDescriptor = openSync(file, 'w');
    t.after(() => rmSync(folder, { recursive: true }));
    const log = new LateLog();
    log.lines.debug({}, 'first');
    log.setLevel('debug');
    const opening = log.open({ level: 'warn', format: 'json', fileDescriptor, base: {} });
    log.print('as it is');
    await opening;
    log.lines.debug({}, 'second');
    log.setLevel('warn');
    log.lines.info({}, 'too quiet');
    await log.close();
    log.lines.error({}, 'too late');
    const lines = readFileSync(file, 'utf8').trim().split('\n');
    const reported = lines.map((line) =>
      line.startsWith('{') ? (JSON.parse(line) as { msg: string }).msg : line,
    );
    assert.deepEqual(reported.sort(), ['as it is', 'first', 'second']);
    assert.throws(() => closeSync(fileDescriptor));
  });

  it('ends without being opened', async () => {
    const log = new LateLog();
    log.lines.info({}, 'lost');
    await log.close();
  });
});
