import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const runner = fileURLToPath(new URL('../../../scripts/test.mjs', import.meta.url));

describe('the test runner', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'mcg-runner-'));
  after(() => rmSync(folder, { recursive: true }));

  /** The runner's output, and the command line of the process that started the test file. */
  function runWith(engine: string) {
    const file = path.join(folder, 'some.test.ts');
    const told = path.join(folder, 'command');
    writeFileSync(
      file,
      [
        "import { readFileSync, writeFileSync } from 'node:fs';",
        "import { it } from 'node:test';",
        `writeFileSync(${JSON.stringify(told)}, readFileSync(\`/proc/\${process.ppid}/cmdline\`));`,
        "it('is skipped', { skip: 'needs an NPU' }, () => {});",
      ].join('\n'),
    );
    const env = { ...process.env, NODE_TEST_CONTEXT: undefined, ENGINE: engine };
    const output = execFileSync(process.execPath, [runner, file], {
      env,
      encoding: 'utf8',
    });
    return { output, command: readFileSync(told, 'utf8').split('\0') };
  }

  it('runs files one after another on a named engine, and lists what was skipped at the end', () => {
    const { output, command } = runWith('/some/libmf_memcache.so');
    assert.ok(command.includes('--test-concurrency=1'), command.join(' '));
    assert.match(output, /\nSkipped:\n {2}needs an NPU\n {4}- is skipped\n/);
  });

  it('runs files side by side without one, and lists nothing', () => {
    const { output, command } = runWith('');
    assert.ok(command.includes('--test-concurrency=3'), command.join(' '));
    assert.doesNotMatch(output, /Skipped:/);
  });
});
