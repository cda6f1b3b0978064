import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, beforeEach, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const scripts = fileURLToPath(new URL('../../../scripts/matrix/', import.meta.url));
const folder = fs.mkdtempSync(path.join(tmpdir(), 'typescript-versions-'));
after(() => fs.rmSync(folder, { recursive: true }));

/** A checkout that pins one version. */
let root: string;
const cache = () => path.join(root, 'node_modules/.cache/typescript-versions');
beforeEach(() => {
  root = fs.mkdtempSync(path.join(folder, 'checkout-'));
  for (const name of ['scripts/matrix', 'bin']) {
    fs.mkdirSync(path.join(root, name), { recursive: true });
  }
  for (const name of ['typescript-versions.mjs', 'version-cache.mjs']) {
    fs.copyFileSync(path.join(scripts, name), path.join(root, 'scripts/matrix', name));
  }
  fs.writeFileSync(path.join(root, 'package.json'), '{ "testedTypeScriptVersions": ["9.9.9"] }');
  fs.writeFileSync(
    path.join(root, 'fetch.mjs'),
    `import { typeScriptCompiler, typeScriptVersions } from './scripts/matrix/typescript-versions.mjs';
    try {
      console.log(typeScriptVersions.map(typeScriptCompiler).join());
    } catch (error) {
      console.log(error.isUnreachable, error.message);
    }`,
  );
});

/** Runs the fetch with an npm that does this; `$3` is the folder of `--prefix`. */
function fetchWith(npm: string): string {
  fs.writeFileSync(path.join(root, 'bin/npm'), `#!/bin/sh\n${npm}\n`, { mode: 0o755 });
  const env = { PATH: `${path.join(root, 'bin')}:/usr/bin:/bin` };
  const { stdout, stderr } = spawnSync(process.execPath, ['fetch.mjs'], {
    ...{ cwd: root, env, encoding: 'utf8' },
  });
  assert.equal(stderr, '');
  return stdout.trim();
}

const install = (version: string) =>
  `mkdir -p "$3/node_modules/typescript/bin"
  echo 'console.log("Version ${version}")' > "$3/node_modules/typescript/bin/tsc"`;

describe('the compiler of a version of TypeScript', () => {
  it('is downloaded once, and is then found without the registry', () => {
    const compiler = path.join(cache(), '9.9.9/node_modules/typescript/bin/tsc');
    assert.equal(fetchWith(install('9.9.9')), compiler);
    assert.deepEqual(fs.readdirSync(cache()), ['9.9.9']);
    assert.equal(fetchWith('exit 1'), compiler);
  });

  it('is reported as unreachable if npm has no connection', () => {
    for (const code of ['ENOTFOUND', 'ECONNREFUSED', 'EAI_AGAIN']) {
      const said = fetchWith(`echo "npm error code ${code}" >&2; exit 1`);
      assert.match(said, /^true cannot fetch typescript@9\.9\.9 from the npm registry: /);
    }
    assert.deepEqual(fs.readdirSync(cache()), []);
  });

  it('is not reported as unreachable if it does not exist, or is another version', () => {
    const absent = fetchWith('echo "npm error code ETARGET" >&2; exit 1');
    assert.match(absent, /^false cannot fetch typescript@9\.9\.9 .*ETARGET/s);
    const other = fetchWith(install('9.9.8'));
    assert.match(other, /^false .*the compiler says that it is Version 9\.9\.8/s);
    assert.deepEqual(fs.readdirSync(cache()), []);
  });
});
