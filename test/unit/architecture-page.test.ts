import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const page = readFileSync(path.join(root, 'docs/architecture.md'), 'utf8');
const named = new Set(page.match(/\bsrc\/[\w./-]*\w/g));

const foldersIn = (folder: string): string[] =>
  readdirSync(path.join(root, folder), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => `${folder}/${entry.name}`);

describe('docs/architecture.md', () => {
  it('names only folders and files that exist', () => {
    assert.deepEqual(
      [...named].filter((name) => !existsSync(path.join(root, name))),
      [],
    );
  });

  it('names every folder of src', () => {
    assert.deepEqual(
      foldersIn('src').filter((folder) => !named.has(folder)),
      [],
    );
  });

  it('names all folders of a folder when it names one of them', () => {
    for (const folder of foldersIn('src')) {
      const inner = foldersIn(folder);
      if (!inner.some((name) => named.has(name))) continue;
      assert.deepEqual(
        inner.filter((name) => !named.has(name)),
        [],
      );
    }
  });

  it('lists the folders so that each imports only from those below it', () => {
    const table = [...page.matchAll(/^\| `src\/([\w-]+)` \|/gm)].map(([, name]) => name);
    for (const [at, folder] of table.entries()) {
      for (const file of readdirSync(path.join(root, `src/${folder}`), { recursive: true })) {
        if (!String(file).endsWith('.ts')) continue;
        const module = path.join(root, `src/${folder}`, String(file));
        for (const [, target = ''] of readFileSync(module, 'utf8').matchAll(/ from '(\.[^']+)'/g)) {
          const to = path.relative(
            path.join(root, 'src'),
            path.resolve(path.dirname(module), target),
          );
          const below = table.indexOf(to.split('/', 1)[0]);
          assert.ok(below >= at, `src/${folder}/${String(file)} imports src/${to}`);
        }
      }
    }
  });

  it('has a diagram of the processes, of a GET and of a PUT', () => {
    assert.equal(page.match(/^```mermaid\nflowchart /gm)?.length, 1);
    const sequences = [...page.matchAll(/^```mermaid\n(sequenceDiagram\n.*?)^```$/gms)];
    assert.equal(sequences.length, 2);
    // Mermaid ends a statement at a semicolon and then draws nothing.
    for (const [, text = ''] of sequences) assert.doesNotMatch(text, /;/);
  });
});
