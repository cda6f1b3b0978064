import assert from 'node:assert/strict';
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { createLog, type Log } from '../../../src/log/logger.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'logger-'));
after(() => rmSync(folder, { recursive: true }));

async function written(
  options: { level?: string; format?: 'json' | 'pretty' },
  use: (log: Log) => void,
): Promise<string> {
  const file = path.join(folder, 'log');
  const fileDescriptor = openSync(file, 'w');
  const { level = 'info', format = 'json' } = options;
  const log = await createLog({ level, format, fileDescriptor, base: { pid: 1, device: 2 } });
  use(log);
  await log.close();
  return readFileSync(file, 'utf8');
}

describe('the log', () => {
  it('is complete when it is closed, however much has been written', async () => {
    const text = await written({}, ({ logger }) => {
      for (let line = 0; line < 5000; line += 1) logger.info({ line }, 'x'.repeat(100));
    });
    assert.equal(text.split('\n').length, 5001);
    assert(text.endsWith('"}\n'));
  });

  it('is JSON lines with level, time, process and device', async () => {
    const text = await written({}, ({ logger }) => logger.warn({ extra: true }, 'hello'));
    const { time, ...line } = JSON.parse(text) as Record<string, unknown>;
    assert.deepEqual(line, { level: 'warn', pid: 1, device: 2, extra: true, msg: 'hello' });
    assert.match(String(time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  });

  it('omits lines below its level, except lines that are always printed', async () => {
    const text = await written({ level: 'error' }, ({ logger, print }) => {
      logger.warn('not this');
      print('this');
    });
    assert.equal(text, 'this\n');
  });

  it('is text for people on request', async () => {
    const text = await written({ format: 'pretty' }, ({ logger }) =>
      logger.info({ a: 1 }, 'hello'),
    );
    assert.match(text, /^.*INFO.*hello.*a.*:.*1.*\n$/, 'one line');
  });

  it('has a short line for a request, as text', async () => {
    const request = { requestId: 'r-1', method: 'PUT', route: '/v1/objects/{key}', status: 201 };
    const sizes = { durationMs: 2, bytesIn: 5, bytesOut: 0 };
    const text = await written({ format: 'pretty' }, ({ logger }) =>
      logger.info({ ...request, ...sizes }, 'request'),
    );
    assert.match(text, /INFO.*PUT \/v1\/objects\/\{key\} 201, 2.0 ms, 5 B in, 0 B out/);
    assert.doesNotMatch(text, /r-1/);
  });

  it('keeps an error with its stack and cause', async () => {
    const cause = new Error('inner');
    const text = await written({}, ({ logger }) => {
      logger.error({ err: new Error('outer', { cause }) }, 'failed');
    });
    const { err } = JSON.parse(text) as { err: { message: string; stack: string } };
    assert.match(err.message, /outer/);
    assert.match(err.stack, /inner/);
  });
});
