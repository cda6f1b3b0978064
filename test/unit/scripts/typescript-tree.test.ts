import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

interface Tree {
  compileTree(): void;
  compiledFile(file: string): string;
}

describe('the compiled tree', () => {
  const root = mkdtempSync(path.join(tmpdir(), 'mcg-tree-'));
  after(() => rmSync(root, { recursive: true }));
  const file = path.join(root, 'test/program.ts');
  let tree: Tree;
  before(async () => {
    const repository = fileURLToPath(new URL('../../..', import.meta.url));
    for (const folder of ['src', 'packages/client/src', 'test', 'scripts/typescript']) {
      mkdirSync(path.join(root, folder), { recursive: true });
    }
    for (const name of ['typescript-tree.mjs', 'typescript-cache.mjs']) {
      const script = path.join('scripts/typescript', name);
      cpSync(path.join(repository, script), path.join(root, script));
    }
    symlinkSync(path.join(repository, 'node_modules'), path.join(root, 'node_modules'));
    writeFileSync(path.join(root, 'package.json'), '{ "type": "module" }');
    tree = (await import(path.join(root, 'scripts/typescript/typescript-tree.mjs'))) as Tree;
  });

  function run(...lines: string[]) {
    writeFileSync(file, lines.join('\n'));
    tree.compileTree();
    const args = ['--enable-source-maps', tree.compiledFile(file)];
    return spawnSync(process.execPath, args, { encoding: 'utf8' });
  }

  it('runs the current content of files, which find themselves at their own places', () => {
    writeFileSync(path.join(root, 'src/part.ts'), 'export const part: string = "part";');
    const module = "export { part } from '../src/part.ts';";
    writeFileSync(path.join(root, 'scripts/module.mjs'), module);
    const { stdout, stderr } = run(
      "import { part } from '../scripts/module.mjs';",
      'console.log(part, import.meta.url, import.meta.filename, import.meta.dirname);',
    );
    assert.equal(
      stdout,
      `part ${pathToFileURL(file).href} ${file} ${path.dirname(file)}\n`,
      stderr,
    );
    assert.equal(run('console.log("changed" as string);').stdout, 'changed\n');
  });

  it('shows the lines of the source in stack traces', () => {
    const { status, stderr } = run('interface A {', '  a: 1;', '}', '', 'throw new Error("no");');
    assert.equal(status, 1);
    assert.ok(stderr.includes(`${file}:5:`), stderr);
  });

  it('loses the files that are gone', () => {
    assert.equal(existsSync(tree.compiledFile(file)), true);
    rmSync(file);
    tree.compileTree();
    assert.equal(existsSync(tree.compiledFile(file)), false);
  });
});
