/** The types of both packages, with every tested version of TypeScript. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import {
  typeScriptCompiler,
  typeScriptVersions,
} from '../../scripts/matrix/typescript-versions.mjs';
import { compile, installPrograms } from '../helpers/process/strict-programs.ts';
import { fetchOrSkip } from '../helpers/process/unreachable.ts';

const project = mkdtempSync(path.join(tmpdir(), 'typescript-'));

const compilerOf = (version: string, t: TestContext) =>
  fetchOrSkip(t, `TypeScript ${version}`, () => typeScriptCompiler(version));

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
