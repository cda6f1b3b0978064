import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { groupFiles, lanesOf } from '../../../scripts/test/test-files.mjs';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const runner = path.join(root, 'scripts/test.mjs');

describe('the test runner', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'mcg-runner-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const fileOf = (name: string) => path.join(folder, `${name}.test.mjs`);
  const write = (name: string, lines: readonly string[]) =>
    writeFileSync(fileOf(name), ["import { it } from 'node:test';", ...lines].join('\n'));

  /** Says when it begins, and waits at most so long for the other to say so; it passes in any case. */
  function writeWaiting(name: string, other: string, ms: number): void {
    const begun = (which: string) => JSON.stringify(path.join(folder, `${which}-begun`));
    write(name, [
      "import { existsSync, writeFileSync } from 'node:fs';",
      "it('is skipped', { skip: 'needs an NPU' }, () => {});",
      `it('meets ${other}', async () => {`,
      `  writeFileSync(${begun(name)}, '');`,
      `  const endMs = performance.now() + ${ms};`,
      `  while (performance.now() < endMs && !existsSync(${begun(other)}))`,
      '    await new Promise((resolve) => setTimeout(resolve, 10));',
      `  if (existsSync(${begun(other)})) writeFileSync(${JSON.stringify(folder)} + '/${name}-met', '');`,
      '});',
    ]);
  }

  function runWith(engine: string, names: readonly string[], options: readonly string[] = []) {
    const env = { ...process.env, NODE_TEST_CONTEXT: undefined, ENGINE: engine };
    const { stdout, status } = spawnSync(
      process.execPath,
      [runner, ...options, ...names.map(fileOf)],
      { env, encoding: 'utf8' },
    );
    return { output: stdout, status };
  }

  it('runs files one after another on a named engine, and lists what was skipped at the end', () => {
    writeWaiting('first', 'second', 500);
    writeWaiting('second', 'third', 0);
    const { output, status } = runWith('/some/libmf_memcache.so', ['first', 'second']);
    assert.equal(status, 0, output);
    assert.equal(existsSync(path.join(folder, 'first-met')), false);
    assert.match(output, /\nSkipped:\n {2}needs an NPU\n {4}- is skipped\n {4}- is skipped\n$/);
  });

  it('runs files side by side without one, and lists nothing', () => {
    writeWaiting('first', 'second', 60_000);
    writeWaiting('second', 'first', 60_000);
    const { output, status } = runWith('', ['first', 'second']);
    assert.equal(status, 0, output);
    assert.equal(existsSync(path.join(folder, 'first-met')), true);
    assert.doesNotMatch(output, /Skipped:/);
  });

  it('fails with one test that fails, and with a file that throws', () => {
    write('good', ["it('is good', () => {});"]);
    for (const bad of [
      "it('is bad', () => { throw new Error('bad'); });",
      "throw new Error('bad');",
    ]) {
      write('bad', [bad]);
      const { output, status } = runWith('', ['good', 'bad']);
      assert.equal(status, 1, output);
      assert.match(output, /^ℹ pass 1$/m);
    }
  });

  it('fails with a test that takes longer than --test-timeout', () => {
    write('slow', ["it('hangs', () => new Promise((resolve) => setTimeout(resolve, 120_000)));"]);
    assert.equal(runWith('', ['slow'], ['--test-timeout=1000']).status, 1);
  });

  it('runs a TypeScript file from elsewhere', () => {
    const file = path.join(folder, 'typed.test.ts');
    const text = "import { it } from 'node:test';\nit('is typed' as string, () => {});";
    writeFileSync(file, text);
    const env = { ...process.env, NODE_TEST_CONTEXT: undefined, ENGINE: '' };
    const { stdout } = spawnSync(process.execPath, [runner, file], { env, encoding: 'utf8' });
    assert.match(stdout, /^ℹ pass 1$/m);
  });

  it('refuses a suite or an option that it does not know', () => {
    assert.equal(runWith('', ['no'], ['no-suite']).status, 2);
    assert.equal(runWith('', ['no'], ['--watch']).status, 2);
  });
});

describe('the lanes of test files', () => {
  const found = (name: string) => path.join(root, 'test', `${name}.test.ts`);

  it('have every file once, and names only files that there are', () => {
    const files = ['unit/docs', 'engine/engine', 'browser/browser'].map(found);
    const lanes = lanesOf(files);
    assert.deepEqual(lanes.flatMap((lane) => lane.files).sort(), files.sort());
    assert.equal(lanes.length, 2);
    const listed = readFileSync(path.join(root, 'scripts/test/test-files.mjs'), 'utf8');
    const names = [
      ...listed.matchAll(/'((?:unit|engine|conformance|integration|browser)\/[^']+)'/g),
    ];
    assert.ok(names.length > 10);
    for (const [, name = ''] of names) assert.ok(existsSync(found(name)), name);
  });

  it('have one file in the place of those that share a process, without losing one', (t) => {
    // Not the folder of the run that this test is a part of.
    const folder = mkdtempSync(path.join(tmpdir(), 'mcg-groups-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const files = ['unit/client/layers', 'unit/client/batch', 'unit/docs'].map(found);
    const [alone, group, ...rest] = groupFiles(files, (file) => `${file}x`, folder);
    assert.deepEqual([alone, rest], [found('unit/docs'), []]);
    const imported = readFileSync(group ?? '', 'utf8');
    for (const file of files.slice(0, 2)) assert.ok(imported.includes(JSON.stringify(`${file}x`)));
  });
});
