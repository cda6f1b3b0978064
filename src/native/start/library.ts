import { accessSync, constants, readdirSync } from 'node:fs';
import path from 'node:path';
import { loadLibrary } from '../../os/libc.ts';
import {
  type EngineFunctions,
  engineFunctions,
  engineSymbols,
  hasSymbol,
  intFunction,
  type LibraryHandle,
  missingSymbols,
  optionalFunction,
  textFunction,
} from '../abi/abi.ts';
import { EngineLoadError } from '../abi/errors.ts';
import { type PoolFunctions, poolFunctions } from '../abi/pool-functions.ts';
import { buildEngineCommand, embeddedLibraryPath } from './built-libraries.ts';

export interface EngineLibrary {
  readonly path: string;
  readonly functions: EngineFunctions;
  /** The engine never waits for a network, so small calls may run on the JavaScript thread. */
  readonly nonblocking: boolean;
  /** Limits the waits for locks of calls on this thread; undefined if the engine has no such limit. */
  readonly limitLockWaits: ((microseconds: number) => void) | undefined;
  /** 1 while the engine is in its pool, 0 after the pool was destroyed; undefined if not exported. */
  readonly isMember: (() => number) | undefined;
  /** The text of the engine's last warning since its initialisation began, empty without one; undefined if not exported. */
  readonly lastWarning: (() => string) | undefined;
  /** What the pool holds; undefined if the engine cannot tell, like the distributed engine. */
  readonly pool: PoolFunctions | undefined;
}

export interface LibraryOptions {
  /** `embedded`, or the path of a library with the same ABI. */
  readonly engine: string;
  /** The libpython to load first; searched in the usual places if absent. */
  readonly preload?: string | undefined;
}

/** Loads an engine and looks up every symbol. @throws EngineLoadError with advice. */
export function loadEngineLibrary({ engine, preload }: LibraryOptions): EngineLibrary {
  const file = engine === 'embedded' ? embeddedLibraryPath : path.resolve(engine);
  checkReadable(file, engine === 'embedded');
  if (preload !== undefined) preloadGlobally(path.resolve(preload));
  const library = loadWithPython(file, preload);
  const missing = missingSymbols(library);
  if (missing.length > 0) {
    throw new EngineLoadError(
      `${file} is not the engine: it ${lack(missing)}.`,
      'Point GATEWAY_ENGINE (--engine) at libmf_memcache.so of MemCache Hybrid 1.0.1 or newer.',
    );
  }
  const nonblocking =
    hasSymbol(library, 'mmc_embedded_nonblocking') &&
    intFunction(library, 'mmc_embedded_nonblocking')() === 1;
  return {
    path: file,
    functions: engineFunctions(library),
    nonblocking,
    limitLockWaits: optionalFunction(library, 'mmc_embedded_lock_wait_us', ['uint32_t']),
    isMember: optionalFunction(library, 'mmc_embedded_is_member', []),
    lastWarning: textFunction(library, 'mmc_embedded_last_warning'),
    pool: poolFunctions(library),
  };
}

function lack(missing: readonly string[]): string {
  if (missing.length < engineSymbols.length) return `lacks ${missing.join(', ')}`;
  return `has none of the ${engineSymbols.length} functions, such as ${missing[0]}`;
}

function checkReadable(file: string, embedded: boolean): void {
  try {
    accessSync(file, constants.R_OK);
  } catch (cause) {
    const problem = `Cannot read the engine's library ${file}.`;
    const advice = embedded
      ? [
          `Build it with \`${buildEngineCommand}\`, which needs a C compiler`,
          '(Debian, Ubuntu: apt-get install gcc libc6-dev; Alpine: apk add gcc musl-dev linux-headers;',
          'Fedora: dnf install gcc glibc-devel), or point GATEWAY_ENGINE at libmf_memcache.so.',
        ].join('\n')
      : 'Correct GATEWAY_ENGINE (--engine), or set it to "embedded" for the built-in engine.';
    throw new EngineLoadError(problem, advice, { cause });
  }
}

function preloadGlobally(file: string): void {
  try {
    loadLibrary(file, { global: true });
  } catch (cause) {
    throw new EngineLoadError(
      `Cannot load ${file}: ${reasonOf(cause)}`,
      'Point GATEWAY_ENGINE_PRELOAD (--engine-preload) at a libpython3.<N>.so.1.0, or unset it.',
      { cause },
    );
  }
}

/**
 * Release builds of the engine have undefined Python symbols (docs/engine-facts.md §2). A libpython
 * with global visibility provides them.
 */
function loadWithPython(file: string, preload: string | undefined): LibraryHandle {
  let failure: unknown;
  try {
    return loadLibrary(file);
  } catch (error) {
    failure = error;
  }
  const candidates = preload === undefined && needsPython(failure) ? pythonLibraries() : [];
  for (const candidate of candidates) {
    try {
      loadLibrary(candidate, { global: true });
      return loadLibrary(file);
    } catch (error) {
      failure = error;
    }
  }
  throw new EngineLoadError(
    `Cannot load the engine ${file}: ${reasonOf(failure)}`,
    adviceFor(failure, candidates),
    { cause: failure },
  );
}

function adviceFor(failure: unknown, triedPython: readonly string[]): string {
  if (needsPython(failure)) return pythonAdvice(triedPython);
  if (/invalid ELF header|file too short|Exec format error/i.test(reasonOf(failure))) {
    return 'It is no shared library for this machine: point GATEWAY_ENGINE (--engine) at libmf_memcache.so.';
  }
  return 'The libraries it depends on must be found by the loader: set LD_LIBRARY_PATH to their directories.';
}

function pythonAdvice(tried: readonly string[]): string {
  const found = tried.length === 0 ? 'none was found' : `tried ${tried.join(', ')}`;
  return [
    `It needs a shared libpython of the version it was built with (${found}).`,
    'Install one (Debian: apt-get install libpython3.11) or point GATEWAY_ENGINE_PRELOAD at it.',
  ].join('\n');
}

function needsPython(error: unknown): boolean {
  return (
    /(undefined symbol|symbol not found)[^\n]*\b_?Py/i.test(reasonOf(error)) ||
    /Error relocating [^\n]*\b_?Py/.test(reasonOf(error))
  );
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * Every libpython3.<N>.so.1.0 in the usual directories, newest first. `ldconfig -p` would list them, but
 * it is a child process, and a worker must not start one (docs/engine-facts.md §2).
 */
export function pythonLibraries(directories = libraryDirectories()): string[] {
  const found: { file: string; minor: number }[] = [];
  for (const directory of directories) {
    for (const name of listed(directory)) {
      const minor = /^libpython3\.(\d+)\.so\.1\.0$/.exec(name)?.[1];
      if (minor !== undefined) found.push({ file: path.join(directory, name), minor: +minor });
    }
  }
  // The sort is stable: of the same version, the first directory wins.
  found.sort((a, b) => b.minor - a.minor);
  return [...new Set(found.map(({ file }) => file))];
}

function libraryDirectories(): string[] {
  const machine = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
  const configured = (process.env['LD_LIBRARY_PATH'] ?? '').split(':');
  const conda = process.env['CONDA_PREFIX'];
  return [
    ...configured,
    ...(conda === undefined ? [] : [path.join(conda, 'lib')]),
    '/usr/local/lib',
    '/usr/local/lib64',
    `/usr/lib/${machine}-linux-gnu`,
    `/lib/${machine}-linux-gnu`,
    '/usr/lib64',
    '/usr/lib',
    '/lib64',
    '/lib',
  ].filter((directory) => directory !== '');
}

function listed(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
