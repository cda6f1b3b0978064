import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const reporter = fileURLToPath(new URL('../../../scripts/test/skip-summary.mjs', import.meta.url));

describe('the summary of skipped tests', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'mcg-skips-'));
  after(() => rmSync(folder, { recursive: true }));

  function reportOf(...tests: string[]): string {
    const file = path.join(folder, 'some.test.mjs');
    writeFileSync(file, ["import { describe, it } from 'node:test';", ...tests].join('\n'));
    // Inside a test, node:test would report to the test that started it.
    const env = { ...process.env, NODE_TEST_CONTEXT: undefined };
    const args = ['--test', `--test-reporter=${reporter}`, '--test-reporter-destination=stdout'];
    return execFileSync(process.execPath, [...args, file], { env, encoding: 'utf8' });
  }

  it('lists each test and suite under the reason why it was skipped', () => {
    const summary = reportOf(
      "it('runs', () => {});",
      "it('first', { skip: 'needs an empty pool' }, () => {});",
      "describe('a suite', () => {",
      "  it('second', { skip: 'needs an NPU' }, () => {});",
      "  it('third', { skip: 'needs an empty pool' }, () => {});",
      '});',
      "describe('a whole suite', { skip: 'needs an NPU' }, () => { it('inner', () => {}); });",
      "it('fourth', { skip: true }, () => {});",
    );
    assert.deepEqual(summary.trimEnd().split('\n'), [
      '',
      'Skipped:',
      '  needs an empty pool',
      '    - first',
      '    - third',
      '  needs an NPU',
      '    - second',
      '    - a whole suite',
      '  no reason given',
      '    - fourth',
    ]);
  });

  it('reports that no test was skipped', () => {
    assert.equal(reportOf("it('runs', () => {});"), '\nNo test was skipped.\n');
  });
});
