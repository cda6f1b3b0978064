import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  isMatrixOnly,
  matrixOnlyTests,
  missingTests,
} from '../../../scripts/matrix-only-tests.mjs';
import { nodeFeatureNames } from '../../../src/node-internals/feature-names.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const read = (name: string) => readFileSync(`${root}${name}`, 'utf8');

describe('the test matrix', () => {
  it('has each pinned version of Node, each feature, the types, the generators, the newcomer, the other layout and every operation', () => {
    const { testedNodeVersions } = JSON.parse(read('package.json')) as {
      testedNodeVersions: Record<string, string>;
    };
    const list = execFileSync(process.execPath, ['scripts/test-matrix.mjs', '--list'], {
      cwd: root,
      encoding: 'utf8',
    });
    // Separate entries run only if they are named.
    const entries = [...list.matchAll(/^ {2}(\S+)$/gm)].map(([, name]) => name);
    assert.deepEqual(
      new Set(entries),
      new Set([
        ...Object.keys(testedNodeVersions).map((line) => `smoke-${line}`),
        ...nodeFeatureNames.map((name) => `without-${name}`),
        'browser',
        ...Object.keys(matrixOnlyTests),
        'generators',
        'http-documented',
        'http-layout128',
        'newcomer',
        'typescript',
      ]),
    );
  });

  it('runs before a change is merged, and not with npm test', () => {
    assert.match(read('.ci/run'), /^step .*; npm run test:matrix$/m);
    assert.doesNotMatch(read('scripts/test.mjs'), /test-matrix/);
  });

  it('runs the files that npm test leaves to it, and these exist', () => {
    assert.deepEqual(missingTests(), []);
    for (const file of Object.values(matrixOnlyTests).flat()) {
      assert.ok(isMatrixOnly(`${root}${file}`), file);
    }
    assert.ok(!isMatrixOnly(`${root}test/unit/scripts/test-matrix.test.ts`));
  });
});
