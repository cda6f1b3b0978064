import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { after, beforeEach, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { isAlive } from '../../helpers/process/gateway.ts';
import { until } from '../../helpers/process/until.ts';

const scripts = fileURLToPath(new URL('../../../scripts/matrix/', import.meta.url));
const folder = fs.mkdtempSync(path.join(tmpdir(), 'node-versions-'));
after(() => fs.rmSync(folder, { recursive: true }));

const VERSION = '99.1.2';
const ARCHIVE = `node-${process.platform}-${process.arch}-${VERSION}.tgz`;

/** A checkout that pins one version, and an npm that packs it from a folder. */
let root: string;
const inRoot = (name: string) => path.join(root, name);
const cache = () => inRoot('node_modules/.cache/node-versions');
const binary = () => path.join(cache(), VERSION, 'bin/node');
beforeEach(() => {
  root = fs.mkdtempSync(path.join(folder, 'checkout-'));
  for (const name of ['scripts/matrix', 'bin', 'registry/package/bin']) {
    fs.mkdirSync(inRoot(name), { recursive: true });
  }
  for (const name of ['node-versions.mjs', 'version-cache.mjs']) {
    fs.copyFileSync(path.join(scripts, name), inRoot(`scripts/matrix/${name}`));
  }
  fs.writeFileSync(
    inRoot('package.json'),
    JSON.stringify({ type: 'module', testedNodeVersions: { 99: VERSION } }),
  );
  fs.writeFileSync(
    inRoot('fetch.mjs'),
    `import { nodeBinary } from './scripts/matrix/node-versions.mjs';
    const [line, deadlineMs] = process.argv.slice(2);
    try {
      process.stdout.write(nodeBinary(line, deadlineMs && Number(deadlineMs)));
    } catch (error) {
      process.stdout.write(error.message);
      process.exitCode = 1;
    }`,
  );
  release(VERSION);
  npm(pack);
});

/** The version that the binary reports. */
function release(version: string): void {
  const file = inRoot('registry/package/bin/node');
  fs.writeFileSync(file, `#!/bin/sh\necho v${version}\n`, { mode: 0o755 });
}

const pack = `tar -C "$REGISTRY" -czf ${ARCHIVE} package && echo ${ARCHIVE}`;

function npm(does: string): void {
  const text = `#!/bin/sh\necho "$@" >> ${inRoot('asked')}\nREGISTRY=${inRoot('registry')}\n${does}\n`;
  fs.writeFileSync(inRoot('bin/npm'), text, { mode: 0o755 });
}

const asked = () => fs.readFileSync(inRoot('asked'), 'utf8').trim().split('\n');

function start(...args: string[]) {
  const child = spawn(process.execPath, [inRoot('fetch.mjs'), ...args], {
    env: { PATH: `${inRoot('bin')}:/usr/bin:/bin` },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const ended = new Promise<{ code: number | null; output: string }>((resolve) => {
    child.on('close', (code) => resolve({ code, output }));
  });
  return { child, ended };
}
const fetchLine = (...args: string[]) => start(...args).ended;

describe('the binary of a version of Node', { timeout: 60_000 }, () => {
  it('is downloaded once, and nothing else is left in the cache', async () => {
    for (let round = 0; round < 2; round += 1) {
      assert.deepEqual(await fetchLine('99'), { code: 0, output: binary() });
    }
    assert.deepEqual(asked(), [
      `pack --loglevel=error node-${process.platform}-${process.arch}@${VERSION}`,
    ]);
    assert.deepEqual(fs.readdirSync(cache()), [VERSION]);
  });

  it('is missing after its download was killed, and is downloaded the next time', async () => {
    npm('head -c 100 /dev/zero > part.tgz; echo $$ > "$REGISTRY/pid"; exec sleep 60');
    const { child, ended } = start('99');
    await until(() => fs.existsSync(inRoot('registry/pid')));
    child.kill('SIGKILL');
    await until(() => !isAlive(child.pid as number));
    assert.equal(fs.existsSync(binary()), false);
    assert.notDeepEqual(fs.readdirSync(cache()), []);
    process.kill(Number(fs.readFileSync(inRoot('registry/pid'), 'utf8')), 'SIGKILL');
    await ended;
    npm(pack);
    assert.deepEqual(await fetchLine('99'), { code: 0, output: binary() });
    // The rest is removed when it is old enough to belong to no download.
    const [left] = fs.readdirSync(cache()).filter((name) => name !== VERSION);
    fs.utimesSync(path.join(cache(), left as string), 0, 0);
    fs.rmSync(path.join(cache(), VERSION), { recursive: true });
    assert.deepEqual(await fetchLine('99'), { code: 0, output: binary() });
    assert.deepEqual(fs.readdirSync(cache()), [VERSION]);
  });

  it('replaces a folder without a binary', async () => {
    fs.mkdirSync(path.join(cache(), VERSION, 'share'), { recursive: true });
    assert.deepEqual(await fetchLine('99'), { code: 0, output: binary() });
    assert.equal(fs.existsSync(path.join(cache(), VERSION, 'share')), false);
  });

  it('may be downloaded by several processes at the same time', async () => {
    const outcomes = await Promise.all([fetchLine('99'), fetchLine('99'), fetchLine('99')]);
    assert.deepEqual(outcomes, Array(3).fill({ code: 0, output: binary() }));
    assert.deepEqual(fs.readdirSync(cache()), [VERSION]);
  });

  for (const [what, prepare, reason] of [
    ['npm fails', () => npm('echo "E404 no such package" >&2; exit 1'), /E404 no such package/],
    ['the archive is cut off', () => npm(`${pack}; truncate -s 60 ${ARCHIVE}`), /tar/],
    ['the binary is another version', () => release('20.0.0'), /says that it is v20\.0\.0/],
    [
      'the binary does not run',
      () => fs.writeFileSync(inRoot('registry/package/bin/node'), '\u007fELF'),
      /bin\/node/,
    ],
  ] as const) {
    it(`is not kept if ${what}, and the message says what to do`, async () => {
      prepare();
      const { code, output } = await fetchLine('99');
      assert.equal(code, 1);
      assert.match(output, /^cannot fetch node-\w+-\w+@99\.1\.2 from the npm registry: /);
      assert.match(output, reason);
      assert.match(output, /Check that the registry can be reached \(npm view /);
      assert.ok(output.endsWith(`or put the file at ${binary()}.`), output);
      assert.deepEqual(fs.readdirSync(cache()), []);
    });
  }

  it('is given up if the download takes longer than its deadline', async () => {
    npm('exec sleep 60');
    const { code, output } = await fetchLine('99', '1000');
    assert.equal(code, 1);
    assert.match(output, /from the npm registry: it took longer than 1 s\n/);
    assert.deepEqual(fs.readdirSync(cache()), []);
  });

  it('of a line that is not pinned is an error', async () => {
    const { code, output } = await fetchLine('98');
    assert.deepEqual([code, output], [1, 'no version of Node 98 is pinned']);
    assert.equal(fs.existsSync(inRoot('asked')), false);
  });
});
