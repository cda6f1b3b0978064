/** Programs in TypeScript that use the packages, as strict projects compile them. */
import assert from 'node:assert/strict';
import { copyFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { link, root, run, unpackInto } from './packed.ts';

const strict = {
  ...{ noEmit: true, strict: true, skipLibCheck: false, target: 'ES2022', isolatedModules: true },
  ...{ exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true },
  ...{ noPropertyAccessFromIndexSignature: true, verbatimModuleSyntax: true },
};

const environments = {
  /** Its global types include those that the client needs. */
  node: { lib: ['ES2023'], types: ['node'] },
  browser: { lib: ['ES2022', 'DOM', 'DOM.Iterable'], types: [] },
};

export const resolutions = {
  nodenext: { module: 'nodenext' },
  bundler: { module: 'esnext', moduleResolution: 'bundler' },
};

/** The programs that each environment has the types for. */
export const programs = {
  node: ['store.mts', 'client.mts', 'shared-buffer.mts'],
  browser: ['client.mts'],
};

/** Installs both packages, the programs, and the types of Node. */
export async function installPrograms(project: string): Promise<void> {
  for (const folder of ['', 'packages/client']) await unpackInto(project, folder);
  addPrograms(project);
}

export function addPrograms(project: string): void {
  for (const name of ['@types/node', 'undici-types']) link(project, name);
  for (const program of programs.node) {
    copyFileSync(path.join(root, 'test/fixtures/types', program), path.join(project, program));
  }
}

/** Compiles the programs of an environment. Fails with the messages of the compiler. */
export async function compile(
  project: string,
  compiler: string,
  environment: keyof typeof environments,
  resolution: keyof typeof resolutions,
): Promise<void> {
  const config = path.join(project, `tsconfig.${environment}-${resolution}.json`);
  const compilerOptions = {
    ...strict,
    ...environments[environment],
    ...resolutions[resolution],
  };
  writeFileSync(config, JSON.stringify({ compilerOptions, files: programs[environment] }));
  const args = [compiler, '--project', config, '--pretty', 'false'];
  await run(process.execPath, args, { cwd: project }).catch((error: unknown) =>
    assert.fail((error as { stdout: string }).stdout),
  );
}
