/** Finds the engine's meta service: at the given path, beside the library, or in PATH. */
import { accessSync, constants, realpathSync, statSync } from 'node:fs';
import path from 'node:path';

const programName = 'mmc_meta_service';

export interface SearchOptions {
  /** From `--bin`: no other place is searched then. */
  readonly bin: string | undefined;
  /** `embedded`, or the path of the library. */
  readonly engine: string;
  /** The variable PATH. */
  readonly searchPath: string | undefined;
}

export type Found = { readonly file: string } | { readonly fault: string };

/** The program's path, or the fault with its correction. */
export function findProgram({ bin, engine, searchPath }: SearchOptions): Found {
  if (bin !== undefined) {
    const file = path.resolve(bin);
    const fault = programFault(file);
    return fault === undefined
      ? { file }
      : { fault: `--bin: ${fault}; give the path of ${programName}` };
  }
  const folders = [...foldersBeside(engine), ...foldersOf(searchPath)];
  const files = folders.map((folder) => path.join(folder, programName));
  const file = files.find((candidate) => programFault(candidate) === undefined);
  if (file !== undefined) return { file };
  // The operator more likely means a program that is not executable than one that does not exist.
  const near = files.map(programFault).find((fault) => !fault?.startsWith('there is no file'));
  const beside = foldersBeside(engine).map((folder) => `${folder}, `);
  const sought = `${beside.join('')}and the folders of PATH`;
  const found = near ?? `${programName} was not found in ${sought}`;
  return { fault: `--bin: ${found}; name the program with --bin PATH, or install it there` };
}

/** Installations keep libraries in lib or lib64, and programs in bin beside it; a library may be a link. */
function foldersBeside(engine: string): string[] {
  if (engine === 'embedded') return [];
  const own = path.dirname(path.resolve(engine));
  const folders = [own, path.join(own, '../bin')];
  try {
    const real = path.dirname(realpathSync(engine));
    folders.push(real, path.join(real, '../bin'));
  } catch {
    // The library does not exist; the program may still exist.
  }
  return [...new Set(folders)];
}

function foldersOf(searchPath: string | undefined): string[] {
  return (searchPath ?? '').split(path.delimiter).filter((folder) => folder !== '');
}

function programFault(file: string): string | undefined {
  try {
    if (!statSync(file).isFile()) return `${file} is not a file`;
    accessSync(file, constants.X_OK);
    return undefined;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const missing = code === 'ENOENT' || code === 'ENOTDIR';
    return missing ? `there is no file ${file}` : `${file} is not executable (chmod +x)`;
  }
}
