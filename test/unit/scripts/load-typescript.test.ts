import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { typeScriptOptions } from '../../helpers/process/typescript.ts';

describe('the TypeScript loader', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'mcg-loader-'));
  after(() => rmSync(folder, { recursive: true }));
  const file = path.join(folder, 'program.ts');

  function run(...lines: string[]) {
    writeFileSync(file, lines.join('\n'));
    return spawnSync(process.execPath, [...typeScriptOptions, file], { encoding: 'utf8' });
  }

  it('runs the current content of a file, under its own URL', () => {
    writeFileSync(path.join(folder, 'part.ts'), 'export const part: string = "part";');
    const { stdout, stderr } = run(
      "import { part } from './part.ts';",
      'interface Unused { readonly x: number }',
      'console.log(part, import.meta.url);',
    );
    assert.equal(stdout, `part ${pathToFileURL(file).href}\n`, stderr);
    assert.equal(run('console.log("changed" as string);').stdout, 'changed\n');
  });

  it('shows the lines of the source in stack traces', () => {
    const { status, stderr } = run('interface A {', '  a: 1;', '}', '', 'throw new Error("no");');
    assert.equal(status, 1);
    assert.ok(stderr.includes(`${file}:5:7`), stderr);
  });

  it('fails on a file that does not parse', () => {
    const { status, stderr } = run('const = 1;');
    assert.equal(status, 1);
    assert.match(stderr, /SyntaxError/);
  });
});
