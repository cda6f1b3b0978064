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

/** A machine with these commands: its apt-get records its arguments, and its npm ends the run. */
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

/** The packages to install, up to the first step of the run itself. */
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
  const tools = ['chromium', 'curl', 'openssl', 'python3', 'prometheus', 'promtool'];

  it('installs missing packages, including a C compiler with its headers', () => {
    assert.deepEqual(installed(), [
      ...['chromium', 'gcc', 'libc6-dev', 'curl', 'openssl', 'python3', 'prometheus'],
    ]);
  });

  it('installs prometheus, once, if one of its two commands is missing', () => {
    for (const tool of [...tools.filter((name) => name !== 'promtool'), 'cc']) command(tool);
    assert.deepEqual(installed(), ['prometheus']);
  });

  for (const name of ['cc', 'gcc', 'clang']) {
    it(`accepts ${name}`, () => {
      for (const tool of [...tools, name]) command(tool);
      assert.deepEqual(installed(), []);
    });
  }

  it('accepts the compiler and the browser from the environment', () => {
    for (const tool of [...tools.slice(1), 'my-cc']) command(tool);
    const env = { CC: 'my-cc -m64', CHROMIUM: '/opt/chromium' };
    assert.deepEqual(installed(env), []);
  });
});
