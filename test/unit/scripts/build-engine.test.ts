import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { after, beforeEach, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const scripts = fileURLToPath(new URL('../../../scripts', import.meta.url));
const compiler = process.env['CC'] || 'cc';
const folder = fs.mkdtempSync(path.join(tmpdir(), 'build-engine-'));
after(() => fs.rmSync(folder, { recursive: true }));

/** A checkout with the scripts and an engine of one line; its compiler counts its calls. */
let root: string;
beforeEach(() => {
  root = fs.mkdtempSync(path.join(folder, 'checkout-'));
  fs.cpSync(scripts, inRoot('scripts'), { recursive: true });
  write('embedded-engine/abi/engine.h', 'int answer(void);\n');
  write('embedded-engine/abi/engine.c', '#include "engine.h"\nint answer(void) { return 1; }\n');
  write('native-helpers/reserve/reserve.c', 'int reserve(void) { return 2; }\n');
  write('cc', `#!/bin/sh\necho called >> "$(dirname "$0")/calls"\nexec ${compiler} "$@"\n`, 0o755);
});

const engine = 'build/native/libmcg_embedded.so';
const inRoot = (name: string) => path.join(root, name);

function write(name: string, text: string, mode = 0o644): void {
  fs.mkdirSync(path.dirname(inRoot(name)), { recursive: true });
  fs.writeFileSync(inRoot(name), text, { mode });
}

function build(flags: string[] = [], env: NodeJS.ProcessEnv = { CC: inRoot('cc') }) {
  return new Promise<{ code: number | null; stderr: string }>((resolve, reject) => {
    const child = spawn(process.execPath, [inRoot('scripts/build-engine.mjs'), ...flags], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stderr }));
  });
}

/** Builds, which must succeed, and returns the compiled libraries. */
async function compiled(): Promise<string[]> {
  const { code, stderr } = await build(['--verbose']);
  assert.equal(code, 0, stderr);
  return [...stderr.matchAll(/^building .*\/libmcg_(\w+)\.so$/gm)].map(([, name = '']) => name);
}

const calls = () => fs.readFileSync(inRoot('calls'), 'utf8').trim().split('\n').length;

const NOTICE = 'memcache-gateway: compiling the C sources\n';

describe('building the engine', () => {
  it('compiles stale targets, and nothing else', async () => {
    assert.deepEqual(await compiled(), ['embedded', 'reserve']);
    assert.deepEqual(await compiled(), []);
    fs.utimesSync(inRoot('embedded-engine/abi/engine.c'), 0, 0);
    assert.deepEqual(await compiled(), []);
    fs.appendFileSync(inRoot('embedded-engine/abi/engine.h'), 'int other(void);\n');
    assert.deepEqual(await compiled(), ['embedded']);
    write('embedded-engine/abi/more.c', 'int more(void) { return 3; }\n');
    assert.deepEqual(await compiled(), ['embedded']);
    fs.rmSync(inRoot('embedded-engine/abi/more.c'));
    assert.deepEqual(await compiled(), ['embedded']);
    fs.rmSync(inRoot('build/native/libmcg_reserve.so'));
    assert.deepEqual(await compiled(), ['reserve']);
    assert.equal(calls(), 6);
    // Another compiler, as far as its file shows.
    fs.appendFileSync(inRoot('cc'), '# newer\n');
    assert.deepEqual(await compiled(), ['embedded', 'reserve']);
  });

  it('happens once if several processes start it at the same time', async () => {
    const outcomes = await Promise.all([build(), build(), build()]);
    assert.deepEqual(
      outcomes.map(({ code }) => code),
      [0, 0, 0],
    );
    const said = outcomes.map(({ stderr }) => stderr).join('');
    assert.equal(said, NOTICE);
    assert.equal(calls(), 2);
    assert.deepEqual(fs.readdirSync(inRoot('build/native')).sort(), [
      'libmcg_embedded.so',
      'libmcg_embedded.so.stamp',
      'libmcg_reserve.so',
      'libmcg_reserve.so.stamp',
    ]);
  });

  it('keeps the old output if the sources do not compile, and shows the error', async () => {
    await compiled();
    const before = fs.readFileSync(inRoot(engine));
    write('embedded-engine/abi/engine.c', 'int answer(void) { return wrong; }\n');
    for (const flags of [[], ['--if-possible']]) {
      const { code, stderr } = await build(flags);
      assert.equal(code, 1);
      assert.match(stderr, /error: .*(\bwrong\b.* undeclared|undeclared identifier .wrong)/);
    }
    assert.deepEqual(fs.readFileSync(inRoot(engine)), before);
    write('embedded-engine/abi/engine.c', 'int answer(void) { return 4; }\n');
    assert.deepEqual(await compiled(), ['embedded']);
  });

  it('without a compiler says what to install, and what needs none', async () => {
    const none = { CC: '', PATH: inRoot('nowhere') };
    const refused = await build([], none);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /^no C compiler found \(tried cc, gcc, clang\); /);
    assert.match(refused.stderr, /apt-get install gcc libc6-dev\n/);
    assert.match(refused.stderr, /GATEWAY_ENGINE=\/path\/libmf_memcache\.so/);
    const warned = await build(['--if-possible'], none);
    assert.deepEqual(warned, { code: 0, stderr: `warning: ${refused.stderr}` });
    const named = await build([], { ...none, CC: 'my-cc' });
    assert.match(named.stderr, /^no C compiler found \(tried my-cc\)/);
  });

  it('needs no compiler if nothing is stale', async () => {
    await compiled();
    const outcome = await build([], { CC: '', PATH: inRoot('nowhere') });
    assert.deepEqual(outcome, { code: 0, stderr: '' });
  });

  const gcc = (header: string) => `fatal error: ${header}: No such file or directory`;
  const clang = (header: string) => `fatal error: '${header}' file not found`;
  const fails = (complaint: string) => {
    write('cc', `#!/bin/sh\necho "engine.c:1:10: ${complaint}" >&2\nexit 1\n`, 0o755);
  };

  for (const [owner, header] of [
    ['C library', 'stdio.h'],
    ['C library', 'sys/mman.h'],
    ['kernel', 'linux/limits.h'],
    ['kernel', 'asm/unistd.h'],
  ] as const) {
    it(`reports a compiler without the ${owner}'s ${header} like a missing one`, async () => {
      for (const complaint of [gcc(header), clang(header)]) {
        fails(complaint);
        const { code, stderr } = await build(['--if-possible']);
        assert.equal(code, 0);
        const reason = `warning: the ${owner}'s headers are not installed (${header}); `;
        assert.ok(stderr.replace(NOTICE, '').startsWith(reason), stderr);
        assert.match(stderr, /Debian, Ubuntu: +apt-get install gcc libc6-dev$/m);
        assert.match(stderr, /Alpine: +apk add gcc musl-dev linux-headers$/m);
      }
    });
  }

  it('reports a missing header of the repository as a defect', async () => {
    fails(gcc('membership.h'));
    const { code, stderr } = await build(['--if-possible']);
    assert.equal(code, 1);
    assert.doesNotMatch(stderr, /installed/);
  });
});
