import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, beforeEach, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const script = fileURLToPath(new URL('../../../.ci/run', import.meta.url));
const folder = mkdtempSync(path.join(tmpdir(), 'ci-run-'));
after(() => rmSync(folder, { recursive: true }));

/** A machine of these commands: its apt-get writes down what it is asked for, and its npm ends the run. */
let bin: string;
beforeEach(() => {
  bin = path.join(mkdtempSync(path.join(folder, 'machine-')), 'bin');
  mkdirSync(bin);
  command('dirname', 'exec /usr/bin/dirname "$@"');
  command('apt-get', `echo "$@" >> ${bin}/asked`);
  command('npm', 'exit 7');
});

function command(name: string, does = ':'): void {
  writeFileSync(path.join(bin, name), `#!/bin/sh\n${does}\n`);
  chmodSync(path.join(bin, name), 0o755);
}

/** What was asked to be installed, up to the first step of the run itself. */
function installed(env: Record<string, string> = {}): string[] {
  const { status, stderr } = spawnSync('/bin/bash', [script], {
    env: { PATH: bin, ...env },
    encoding: 'utf8',
  });
  assert.equal(status, 7, stderr);
  let asked = '';
  try {
    asked = readFileSync(path.join(bin, 'asked'), 'utf8');
  } catch {
    return [];
  }
  const words = asked.trim().split('\n').at(-1)?.split(' ') ?? [];
  return words.slice(words.indexOf('ca-certificates') + 1);
}

describe('.ci/run', () => {
  const tools = ['chromium', 'curl', 'openssl', 'python3'];

  it('installs what is missing, a C compiler with its headers among it', () => {
    assert.deepEqual(installed(), ['chromium', 'gcc', 'libc6-dev', 'curl', 'openssl', 'python3']);
  });

  for (const name of ['cc', 'gcc', 'clang']) {
    it(`is content with ${name}`, () => {
      for (const tool of [...tools, name]) command(tool);
      assert.deepEqual(installed(), []);
    });
  }

  it('is content with the compiler and the browser that it is told of', () => {
    for (const tool of ['curl', 'openssl', 'python3', 'my-cc']) command(tool);
    const env = { CC: 'my-cc -m64', CHROMIUM: '/opt/chromium' };
    assert.deepEqual(installed(env), []);
  });
});
