import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { isLong, longTests, missingTests } from '../../../scripts/test/long-tests.mjs';
import { nodeFeatureNames } from '../../../src/node-internals/feature-names.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const read = (name: string) => readFileSync(`${root}${name}`, 'utf8');

describe('the test matrix', () => {
  it('has each pinned version of Node, each feature, the types, the generators, the newcomer, Prometheus, the fuzzer, the soak run, the other layout and every operation', () => {
    const { testedNodeVersions } = JSON.parse(read('package.json')) as {
      testedNodeVersions: Record<string, string>;
    };
    const list = execFileSync(process.execPath, ['scripts/test-matrix.mjs', '--list'], {
      cwd: root,
      encoding: 'utf8',
    });
    const namesOf = (mark: RegExp) =>
      new Set([...list.matchAll(mark)].map(([, name = '']) => name));
    assert.deepEqual(
      namesOf(/^ {2}(\S+) \(long\)$/gm),
      new Set(['browser', ...Object.keys(longTests)]),
    );
    // Separate entries run only if they are named.
    assert.deepEqual(
      namesOf(/^ {2}(\S+)$/gm),
      new Set([
        ...Object.keys(testedNodeVersions).map((line) => `smoke-${line}`),
        ...nodeFeatureNames.map((name) => `without-${name}`),
        'generators',
        'http-documented',
        'http-layout128',
        'newcomer',
        'prometheus',
        'fuzz',
        'soak',
        'typescript',
      ]),
    );
  });

  it('runs before a change is merged, and not with npm test', () => {
    assert.match(read('.ci/run'), /^step .*; npm run test:matrix$/m);
    assert.match(read('.ci/run'), /^step .*; npm run test:long$/m);
    assert.doesNotMatch(read('scripts/test.mjs'), /test-matrix/);
  });

  it('runs the files that npm test leaves to it, and these exist', () => {
    assert.deepEqual(missingTests(), []);
    for (const file of Object.values(longTests).flat()) {
      assert.ok(isLong(`${root}${file}`), file);
    }
    assert.ok(!isLong(`${root}test/unit/scripts/test-matrix.test.ts`));
  });
});
