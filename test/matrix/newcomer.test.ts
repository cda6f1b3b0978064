/** README.md, all pages of docs, and the packages, as a newcomer uses them in fresh folders. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { it } from 'node:test';
import { root } from '../helpers/process/packed.ts';

it('succeeds for a newcomer: the examples of all pages, and the packed packages', async (t) => {
  // It ends what it has started when it gets SIGTERM.
  const options = { cwd: root, signal: t.signal, stdio: 'inherit' } as const;
  const newcomer = spawn(process.execPath, ['scripts/newcomer.mjs'], options);
  const [code] = (await once(newcomer, 'exit')) as [number | null];
  assert.equal(code, 0, 'the lines above that begin with FAILED say why');
});
