/** Which library the conformance suite tests, and how much of it: a skipped suite looks like a passed one. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { embeddedLibraryPath } from '../../../src/native/start/built-libraries.ts';
import { injectingLibrary } from '../../helpers/engine/injecting.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const folder = mkdtempSync(path.join(tmpdir(), 'conformance-'));
after(() => rmSync(folder, { recursive: true }));

/** Runs one of the suites on a library. */
function judge(engine: string, env: Record<string, string> = {}) {
  // A runner inside a runner prints nothing for people; and the tests must not join any other pool.
  const unset = { NODE_TEST_CONTEXT: undefined, MMC_LOCAL_CONFIG_PATH: undefined };
  const program = [path.join(root, 'scripts/test.mjs'), 'test/conformance/registration.test.ts'];
  const child = spawn(process.execPath, program, {
    cwd: root,
    env: { ...process.env, ...unset, ...env, ENGINE: engine },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  }
  const figure = (name: string) => Number(new RegExp(`^ℹ ${name} (\\d+)$`, 'm').exec(text)?.[1]);
  return new Promise<{ code: number | null; passed: number; skipped: boolean; text: string }>(
    (resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code) => {
        resolve({ code, passed: figure('pass'), skipped: text.includes('# '), text });
      });
    },
  );
}

/** A copy with a neutral name. */
function anonymous(library: string, name: string): string {
  const copy = path.join(folder, name);
  cpSync(library, copy);
  return copy;
}

describe('the conformance suite', () => {
  it('tests the embedded engine whatever its file is called', async () => {
    await injectingLibrary();
    const { code, passed, skipped, text } = await judge(anonymous(embeddedLibraryPath, 'x.so'));
    assert.equal(code, 0, text);
    assert.ok(passed > 0 && !skipped, text);
  });

  it('tests the injecting library by the engine behind it', async () => {
    const library = anonymous(await injectingLibrary(), 'y.so');
    const ours = await judge(library, { MMC_INJECT_TARGET: embeddedLibraryPath });
    assert.equal(ours.code, 0, ours.text);
    assert.ok(ours.passed > 0 && !ours.skipped, ours.text);
    const unknown = path.join(folder, 'unknown.so');
    writeFileSync(unknown, 'nothing that says what it is');
    const { passed, text } = await judge(library, { MMC_INJECT_TARGET: unknown });
    assert.equal(passed, 0, text);
    assert.match(text, /# this engine needs MMC_LOCAL_CONFIG_PATH/);
  });

  it('fails if the library does not exist', async () => {
    const { code, text } = await judge('/nonexistent.so');
    assert.equal(code, 1, text);
    assert.match(text, /ENGINE: there is no library \/nonexistent\.so to be judged/);
  });
});
