/** Checks what the configuration refers to, before a process is started that would fail on it. */
import { accessSync, constants, existsSync, statSync } from 'node:fs';
import type { Config } from './config.ts';
import { embeddedLibraryPath, reserveLibraryPath } from './native/built-libraries.ts';

export interface FileFindings {
  readonly faults: readonly string[];
  readonly warnings: readonly string[];
  /** For the distributed engine: what keeps its address range free (engine.md §1). */
  readonly reserve: { readonly library: string; readonly bytes: number } | undefined;
}

/** All faults at once, each saying how to mend it. */
export async function findFileFaults(
  config: Config,
  env: NodeJS.ProcessEnv,
): Promise<FileFindings> {
  const faults: string[] = [];
  const warnings: string[] = [];
  if (config.engine === 'embedded') {
    if (!existsSync(embeddedLibraryPath)) {
      faults.push(
        `--engine: the embedded engine is not built (${embeddedLibraryPath}); run npm run build:engine, which says what to install if it cannot`,
      );
    }
    return { faults, warnings, reserve: undefined };
  }
  const fault = fileFault(config.engine);
  if (fault !== undefined) {
    faults.push(`--engine: ${fault}; give the path of libmf_memcache.so, or "embedded"`);
  }
  const preloadFault = config.enginePreload && fileFault(config.enginePreload);
  if (preloadFault) faults.push(`--engine-preload: ${preloadFault}; give a libpython3.N.so.1.0`);
  const local = await checkLocalConfig(env, config.devices.length);
  return {
    faults: [...faults, ...local.faults],
    warnings: [...warnings, ...local.warnings],
    reserve: local.reserve,
  };
}

function fileFault(file: string): string | undefined {
  try {
    accessSync(file, constants.R_OK);
    return statSync(file).isFile() ? undefined : `${file} is not a file`;
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    return missing ? `there is no file ${file}` : `${file} cannot be read`;
  }
}

/** `clients` of the pool are this gateway's: one for each device. */
async function checkLocalConfig(env: NodeJS.ProcessEnv, clients: number): Promise<FileFindings> {
  const { EngineFileError } = await import('./native/engine-file.ts');
  const { readLocalConfig } = await import('./native/local-config.ts');
  try {
    const file = readLocalConfig(env['MMC_LOCAL_CONFIG_PATH'], clients);
    if (file === undefined) return { faults: [], warnings: [], reserve: undefined };
    const { reserveBytes, warnings } = file;
    if (existsSync(reserveLibraryPath)) {
      return {
        faults: [],
        warnings,
        reserve: { library: reserveLibraryPath, bytes: reserveBytes },
      };
    }
    const advice = `${reserveLibraryPath} is missing, so the engine's address range cannot be kept free and its start may fail; run npm run build:engine`;
    return { faults: [], warnings: [...warnings, advice], reserve: undefined };
  } catch (error) {
    if (!(error instanceof EngineFileError)) throw error;
    return { faults: error.texts, warnings: [], reserve: undefined };
  }
}
