/**
 * Programs of test/fixtures, compiled. Such a process needs no TypeScript loader, which takes as much
 * processor time as the start of Node itself.
 */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { isFresh } from '../../../scripts/build.mjs';
import { compiledFile, compileTree } from '../../../scripts/typescript/typescript-tree.mjs';
import { typeScriptOptions } from './typescript.ts';

export interface TestProgram {
  readonly file: string;
  /** The options of Node under which it runs. */
  readonly execArgv: string[];
}

const root = fileURLToPath(new URL('../../..', import.meta.url));

/** Determined once in a run of the tests (scripts/test.mjs) or a process, since that reads every source. */
let isBuilt: boolean | undefined = process.env['TEST_BUILD_IS_FRESH'] === 'yes' ? true : undefined;

/** Whether dist may stand for the sources. */
export function isBuildFresh(): boolean {
  isBuilt ??= isFresh();
  return isBuilt;
}

/** Compiled once in a run of the tests (scripts/test.mjs) or a process. */
let isCompiled = process.env['TYPESCRIPT_COMPILED'] === 'yes';

/** Returns a program by its name in test/fixtures. Coverage is measured with the original files. */
export function testProgram(name: string): TestProgram {
  const file = path.join(root, 'test', 'fixtures', name);
  if (process.env['NODE_V8_COVERAGE']) return { file, execArgv: [...typeScriptOptions] };
  if (!isCompiled) compileTree();
  isCompiled = true;
  return { file: compiledFile(file), execArgv: ['--enable-source-maps'] };
}
