import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, afterEach, describe, it } from 'node:test';
import { findProgram } from '../../../../src/cli/meta/find-program.ts';

const folder = realpathSync(mkdtempSync(path.join(tmpdir(), 'find-program-')));
after(() => rmSync(folder, { recursive: true }));
afterEach(() => {
  rmSync(folder, { recursive: true });
  mkdirSync(folder);
});

function place(name: string, mode = 0o755): string {
  const file = path.join(folder, name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, '', { mode });
  return file;
}

const find = (options: { bin?: string; engine?: string; searchPath?: string }) => {
  const { bin, engine = 'embedded', searchPath } = options;
  return findProgram({ bin, engine, searchPath });
};

function faultOf(options: Parameters<typeof find>[0]): string {
  const found = find(options);
  assert.ok('fault' in found, JSON.stringify(found));
  return found.fault;
}

describe('the program of the meta service', () => {
  it('is the one that --bin names, whatever else exists', () => {
    const engine = place('lib64/libmf_memcache.so');
    place('lib64/mmc_meta_service');
    const bin = place('other/service');
    assert.deepEqual(find({ bin, engine }), { file: bin });
  });

  it('is searched in the folder of the library, then in ../bin, then in PATH', () => {
    const engine = place('lib64/libmf_memcache.so');
    const searchPath = `${folder}/none:${folder}/path`;
    const inPath = place('path/mmc_meta_service');
    assert.deepEqual(find({ engine, searchPath }), { file: inPath });
    const inBin = place('bin/mmc_meta_service');
    assert.deepEqual(find({ engine, searchPath }), { file: inBin });
    const beside = place('lib64/mmc_meta_service');
    assert.deepEqual(find({ engine, searchPath }), { file: beside });
    assert.deepEqual(find({ searchPath }), { file: inPath });
  });

  it('is found next to the target of a link to the library', () => {
    place('1.1/lib64/libmf_memcache.so');
    const program = place('1.1/bin/mmc_meta_service');
    mkdirSync(path.join(folder, 'lib'));
    const engine = path.join(folder, 'lib/engine.so');
    symlinkSync('../1.1/lib64/libmf_memcache.so', engine);
    assert.deepEqual(find({ engine }), { file: program });
  });

  it('is skipped if it is not executable, and reported if there is no other', () => {
    const engine = place('lib64/libmf_memcache.so');
    const locked = place('lib64/mmc_meta_service', 0o644);
    const fault = `--bin: ${locked} is not executable (chmod +x); name the program with --bin PATH, or install it there`;
    assert.equal(faultOf({ engine }), fault);
    const searchPath = path.dirname(place('path/mmc_meta_service'));
    assert.deepEqual(find({ engine, searchPath }), { file: `${searchPath}/mmc_meta_service` });
  });

  it('is a fault if it is not found; the fault lists the searched places', () => {
    const engine = path.join(folder, 'lib64/libmf_memcache.so');
    assert.equal(
      faultOf({ engine, searchPath: folder }),
      `--bin: mmc_meta_service was not found in ${folder}/lib64, ${folder}/bin, and the folders of PATH; name the program with --bin PATH, or install it there`,
    );
  });

  it('must be a program if --bin names it', () => {
    assert.match(faultOf({ bin: folder }), /^--bin: .* is not a file; give the path of mmc_meta/);
    assert.match(faultOf({ bin: `${folder}/x` }), /^--bin: there is no file .*\/x; give the path/);
    assert.match(faultOf({ bin: place('text', 0o644) }), /is not executable \(chmod \+x\)/);
  });
});
