/** The examples of a page of docs, which a test runs. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { root, run } from './packed.ts';

/** Runs each example of a page in `project`, and compares its output with the one that the page shows. */
export async function runExamples(
  project: string,
  page: string,
  adapt = (example: string) => example,
): Promise<void> {
  const text = readFileSync(path.join(root, page), 'utf8');
  const file = path.join(project, 'example.mjs');
  const examples = [...text.matchAll(/^```js\n(.*?)^```\n\n```text\n(.*?)^```$/gms)];
  assert.equal(examples.length, text.match(/^```js$/gm)?.length, 'an example without its output');
  for (const [, example = '', expected] of examples) {
    writeFileSync(file, adapt(example));
    const { stdout } = await run(process.execPath, [file], { cwd: project });
    assert.equal(stdout, expected);
  }
}
