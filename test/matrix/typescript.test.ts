/** The types of both packages, with every tested version of TypeScript. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { typeScriptCompiler, typeScriptVersions } from '../../scripts/typescript-versions.mjs';
import { compile, installPrograms } from '../helpers/process/strict-programs.ts';

const project = mkdtempSync(path.join(tmpdir(), 'typescript-'));

/** Undefined if the registry cannot be reached, which skips the test. */
function compilerOf(version: string, t: TestContext): string | undefined {
  try {
    return typeScriptCompiler(version);
  } catch (error) {
    assert.ok(error instanceof Error);
    if (!('isUnreachable' in error) || error.isUnreachable !== true) throw error;
    t.skip(`the npm registry cannot be reached, so TypeScript ${version} was not fetched`);
    return undefined;
  }
}

const compileBoth = (compiler: string, environment: 'node' | 'browser') =>
  Promise.all([
    compile(project, compiler, environment, 'nodenext'),
    compile(project, compiler, environment, 'bundler'),
  ]);

describe('strict programs that use the packages', { timeout: 450_000 }, () => {
  before(() => installPrograms(project));
  after(() => rmSync(project, { recursive: true }));

  for (const version of typeScriptVersions) {
    it(`compile with TypeScript ${version}, in Node's resolution and in that of bundlers`, async (t) => {
      const compiler = compilerOf(version, t);
      if (compiler === undefined) return;
      await compileBoth(compiler, 'node');
    });
  }

  for (const version of [typeScriptVersions.at(0), typeScriptVersions.at(-1)]) {
    it(`compile with TypeScript ${version} for a browser, without types of Node`, async (t) => {
      const compiler = compilerOf(version ?? '', t);
      if (compiler === undefined) return;
      await compileBoth(compiler, 'browser');
    });
  }
});
