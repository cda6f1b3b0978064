/** Checks manifests against the types of Kubernetes: an object literal may have no member that its type lacks. */
import path from 'node:path';
import ts from 'typescript';
import { root } from '../process/packed.ts';

/** What the compiler finds in these lines, in which `Kinds` has the types of the manifests. */
export function compileManifests(lines: readonly string[]): string[] {
  const file = path.join(root, 'test/helpers/deploy/rendered-manifests.ts');
  const text = ["import type { Kinds } from './kinds.ts';", ...lines].join('\n');
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    allowImportingTsExtensions: true,
    types: [],
    module: ts.ModuleKind.NodeNext,
    target: ts.ScriptTarget.ES2023,
  };
  const host = ts.createCompilerHost(options);
  const { fileExists, readFile, getSourceFile } = host;
  host.fileExists = (name) => name === file || fileExists(name);
  host.readFile = (name) => (name === file ? text : readFile(name));
  host.getSourceFile = (name, languageVersion) =>
    name === file
      ? ts.createSourceFile(name, text, languageVersion)
      : getSourceFile(name, languageVersion);
  const program = ts.createProgram([file], options, host);
  return ts.getPreEmitDiagnostics(program).map(({ messageText }) => {
    return ts.flattenDiagnosticMessageText(messageText, '\n');
  });
}
