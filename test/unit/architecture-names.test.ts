import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

const modules = ['src', 'packages/client/src'].flatMap((folder) =>
  readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.startsWith('generated/'))
    .sort(),
);

/** The folders at and below this one with more than twenty files; without packages and their output. */
function fullFolders(folder: string): string[] {
  const entries = readdirSync(folder, { withFileTypes: true });
  const inner = entries
    .filter((entry) => entry.isDirectory() && !['node_modules', 'dist'].includes(entry.name))
    .flatMap(({ name }) => fullFolders(path.join(folder, name)));
  return entries.filter((entry) => entry.isFile()).length > 20
    ? [path.relative(root, folder), ...inner]
    : inner;
}

describe('names', () => {
  it('of modules and folders describe their content', () => {
    const empty = /(^|[-/.])(utils?|helpers?|managers?|common|misc|shared|lib)([-/.]|$)/;
    // These are the usual names for memory that processes share.
    const usual = /shared-(memory|buffer)/g;
    const named = modules.filter((module) => empty.test(module.replaceAll(usual, '')));
    assert.deepEqual(named, []);
  });

  it('of files are at most twenty in a folder, also of scripts and tests', () => {
    const folders = ['src', 'packages', 'scripts', 'test', 'native-helpers'];
    const full = folders.flatMap((folder) => fullFolders(path.join(root, folder)));
    assert.deepEqual(full, []);
  });

  it('of modules are lower-case words with dashes', () => {
    assert.deepEqual(
      modules.filter(
        (module) => !/^([a-z0-9]+(-[a-z0-9]+)*\/)*[a-z0-9]+(-[a-z0-9]+)*\.ts$/.test(module),
      ),
      [],
    );
  });
});
