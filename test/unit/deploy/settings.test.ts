/** Every flag and variable in deploy/ and in the pages about it. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { flagOf, settingNames, variableOf } from '../../../src/config/table.ts';
import { root } from '../../helpers/process/packed.ts';

const inDeploy = readdirSync(path.join(root, 'deploy'), { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => path.join(entry.parentPath, entry.name));
const pages = ['docs/deployment.md', 'docs/runbook.md'].map((name) => path.join(root, name));
const files = [...inDeploy, ...pages];

const variables = new Set(settingNames.map(variableOf));
const flags = new Set(settingNames.map(flagOf));
/** Of the gateway, but no setting; and one of kubectl. */
const others = ['--check-config', '--previous'];

/** The blocks of a page are commands, most of other programs. */
const textOf = (file: string) => readFileSync(file, 'utf8').replace(/^```.*?^```$/gms, '');

/** The matches with the names of their files. */
const found = (pattern: RegExp) =>
  files.flatMap((file) =>
    [...textOf(file).matchAll(pattern)].map(([name]) => ({
      name,
      file: path.relative(root, file),
    })),
  );

describe('the files of deploy', () => {
  it('name only variables of the gateway that exist', () => {
    const named = found(/\bGATEWAY_[A-Z_]+\b/g);
    assert.ok(named.length >= 10);
    assert.deepEqual(
      named.filter(({ name }) => !variables.has(name)),
      [],
    );
  });

  it('name only flags of the gateway that exist', () => {
    const named = found(/(?<![\w-])--[a-z]+(?:-[a-z]+)*\b/g);
    assert.ok(named.length >= 10);
    const known = [...flags, ...others];
    assert.deepEqual(
      named.filter(({ name }) => !known.includes(name)),
      [],
    );
  });
});
