import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { testProgram } from '../../helpers/process/programs.ts';

const run = promisify(execFile);

describe('process.nextTick', () => {
  it('costs as much after full collections as before, in a worker that keeps a tick', async () => {
    const { file, execArgv } = testProgram('ticks.ts');
    const { stdout } = await run(process.execPath, [...execArgv, '--expose-gc', file]);
    const { beforeNs, afterNs } = JSON.parse(stdout) as { beforeNs: number; afterNs: number };
    // Without it, a factor of five.
    assert.ok(afterNs < 2.5 * beforeNs, `${beforeNs} ns before, ${afterNs} ns after`);
  });
});
