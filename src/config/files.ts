/** Checks the files of the configuration, before a worker starts that would fail on them. */
import { accessSync, constants, existsSync, statfsSync, statSync } from 'node:fs';
import os from 'node:os';
import type { FileFaults } from '../files/read-file.ts';
import {
  buildEngineCommand,
  embeddedLibraryPath,
  reserveLibraryPath,
} from '../native/start/built-libraries.ts';
import type { SoundTlsFiles, TlsFilesReading, TlsPaths } from '../tls/tls-files.ts';
import { readTokenFile, type TokenFileReading } from '../tokens/read-token-file.ts';
import type { Config, Origins } from './config.ts';
import { formatBytes, mebibyte } from './kinds.ts';

export interface FileFindings {
  readonly faults: readonly string[];
  readonly warnings: readonly string[];
  /** For the distributed engine: the library that keeps its address range free (docs/engine-facts.md §2). */
  readonly reserve: { readonly library: string; readonly bytes: number } | undefined;
}

/** What findFileFaults returns: `poolBytes` of the configuration, or less if /dev/shm is smaller. */
export type MachineFindings = FileFindings & {
  readonly poolBytes: number;
  /** The token file, if one is named and has no fault. */
  readonly tokens: SoundTokenFile | undefined;
  /** The files of TLS, if they are named and have no fault. */
  readonly tls: SoundTlsFiles | undefined;
};

export type SoundTokenFile = Extract<TokenFileReading, { tokens: unknown }>;

/** All faults at once, each with its correction. */
export async function findFileFaults(
  config: Config,
  env: NodeJS.ProcessEnv,
  origins: Origins = new Map(),
): Promise<MachineFindings> {
  const read = config.tokenFile === undefined ? undefined : await readTokenFile(config.tokenFile);
  const tokens = read !== undefined && 'tokens' in read ? read : undefined;
  const faults = read !== undefined && 'faults' in read ? tokenFaults(read) : [];
  const tlsRead = await readTls(config);
  const tls = tlsRead !== undefined && 'texts' in tlsRead ? tlsRead : undefined;
  if (tlsRead !== undefined && 'faults' in tlsRead) {
    faults.push(...tlsRead.faults.map((fault) => `TLS: ${fault}`));
  }
  const warnings = (tls?.warnings ?? []).map((warning) => `TLS: ${warning}`);
  if (config.engine === 'embedded') {
    if (!existsSync(embeddedLibraryPath)) {
      faults.push(
        `--engine: the embedded engine is not built (${embeddedLibraryPath}); run ${buildEngineCommand}, which says what to install if it cannot`,
      );
    }
    const fault = sharedMemoryFault();
    if (fault !== undefined) faults.push(`--engine: ${fault}`);
    const fitted = fitPool(config, machineMemory(), origins.has('poolBytes'));
    if ('fault' in fitted) faults.push(`--pool-bytes: ${fitted.fault}`);
    if ('warning' in fitted) warnings.push(`--pool-bytes: ${fitted.warning}`);
    const poolBytes = 'poolBytes' in fitted ? fitted.poolBytes : config.poolBytes;
    return { faults, warnings, reserve: undefined, poolBytes, tokens, tls };
  }
  const fault = fileFault(config.engine);
  if (fault !== undefined) {
    faults.push(`--engine: ${fault}; give the path of libmf_memcache.so, or "embedded"`);
  }
  const preloadFault = config.enginePreload && fileFault(config.enginePreload);
  if (preloadFault) faults.push(`--engine-preload: ${preloadFault}; give a libpython3.N.so.1.0`);
  const local = await checkLocalConfig(env, config.devices.length);
  const lease = await checkLease(config.slowReadMs, env['MMC_META_CONFIG_PATH']);
  return {
    faults: [...faults, ...local.faults, ...lease.faults],
    warnings: [...warnings, ...local.warnings, ...lease.warnings],
    reserve: local.reserve,
    poolBytes: config.poolBytes,
    tokens,
    tls,
  };
}

/** The files of TLS. The code for them is loaded only where it is needed. */
export function tlsPathsOf({ tlsCert, tlsKey, tlsClientCa }: Config): TlsPaths | undefined {
  if (tlsCert === undefined || tlsKey === undefined) return undefined;
  return { cert: tlsCert, key: tlsKey, clientCa: tlsClientCa };
}

async function readTls(config: Config): Promise<TlsFilesReading | undefined> {
  const paths = tlsPathsOf(config);
  if (paths === undefined) return undefined;
  const { readTlsFiles } = await import('../tls/tls-files.ts');
  return readTlsFiles(paths);
}

const tokenFaults = (read: FileFaults): string[] =>
  read.faults.map((fault) => {
    const advice = read.isMissing
      ? '; create it with memcache-gateway token create (see token --help)'
      : '';
    return `--token-file: ${fault}${advice}`;
  });

/** Memory of this machine, and the size of the file system in which the embedded engine keeps its pool. */
interface MachineMemory {
  readonly totalBytes: number;
  /** Undefined if there is no /dev/shm; the engine reports that. */
  readonly sharedBytes: number | undefined;
}

function machineMemory(): MachineMemory {
  // 0, or more than the machine has, where no control group limits the process.
  const limit = process.constrainedMemory();
  const totalBytes = limit > 0 ? Math.min(limit, os.totalmem()) : os.totalmem();
  try {
    const { bsize, blocks } = statfsSync('/dev/shm');
    return { totalBytes, sharedBytes: bsize * blocks };
  } catch {
    return { totalBytes, sharedBytes: undefined };
  }
}

/** Without /dev/shm the engine says what is missing. */
function sharedMemoryFault(): string | undefined {
  try {
    accessSync('/dev/shm', constants.W_OK);
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    const why = { EROFS: 'is read-only', EACCES: 'is not writable for this user' }[code];
    if (why !== undefined) {
      return `the embedded engine keeps its pool in /dev/shm, which ${why}; mount a writable tmpfs there`;
    }
  }
  return undefined;
}

/** The header of the pool and the tables of its segments. */
const POOL_SHARE = 15 / 16;

/** The bytes of each client's segment that this machine can hold. A default is halved to fit, a given size refused. */
export function fitPool(
  { poolBytes, devices }: Pick<Config, 'poolBytes' | 'devices'>,
  { totalBytes, sharedBytes }: MachineMemory,
  isGiven = true,
): { poolBytes: number; warning?: string } | { fault: string } {
  const wanted = poolBytes * devices.length;
  const each = devices.length === 1 ? '' : `${devices.length} devices with `;
  const what = `${each}${formatBytes(poolBytes)}`;
  const shareOf = (bytes: number) => Math.floor(bytes / devices.length / mebibyte) * mebibyte;
  if (wanted > totalBytes) {
    const most = shareOf(totalBytes / 2);
    if (!isGiven)
      return fitPool({ poolBytes: Math.max(mebibyte, most), devices }, { totalBytes, sharedBytes });
    return {
      fault: `this machine has ${formatBytes(Math.floor(totalBytes / mebibyte) * mebibyte)} of memory, less than ${what}; give at most about ${formatBytes(most)}`,
    };
  }
  if (sharedBytes === undefined || wanted <= sharedBytes) return { poolBytes };
  const capped = Math.max(mebibyte, shareOf(sharedBytes * POOL_SHARE));
  return {
    poolBytes: capped,
    warning: `/dev/shm has ${formatBytes(sharedBytes)}, less than ${what}, so ${formatBytes(capped)} is used; enlarge /dev/shm (docker run --shm-size), or give less`,
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
  const { EngineFileError } = await import('../engine-config/engine-file.ts');
  const { readLocalConfig } = await import('../engine-config/local-config.ts');
  try {
    const file = readLocalConfig(env['MMC_LOCAL_CONFIG_PATH'], clients);
    if (file === undefined) return { faults: [], warnings: [], reserve: undefined };
    const { reserveBytes, warnings } = file;
    // Where no client contributes memory, the engine maps nothing.
    if (reserveBytes === 0) return { faults: [], warnings, reserve: undefined };
    if (existsSync(reserveLibraryPath)) {
      return {
        faults: [],
        warnings,
        reserve: { library: reserveLibraryPath, bytes: reserveBytes },
      };
    }
    const advice = `${reserveLibraryPath} is missing, so the engine's address range cannot be kept free and its start may fail; run ${buildEngineCommand}`;
    return { faults: [], warnings: [...warnings, advice], reserve: undefined };
  } catch (error) {
    if (!(error instanceof EngineFileError)) throw error;
    return { faults: error.texts, warnings: [], reserve: undefined };
  }
}

/**
 * A read that outlasts its lease may return the bytes of another object, so the limit for trusted reads
 * lies below the lease. The gateway cannot query the lease of the pool; it reads the meta service's
 * file, if there is one.
 */
async function checkLease(
  slowReadMs: number,
  metaPath: string | undefined,
): Promise<Pick<FileFindings, 'faults' | 'warnings'>> {
  const { DEFAULT_LEASE_MS, readLease } = await import('../engine-config/meta-settings.ts');
  const lease = readLease(metaPath);
  if (lease === undefined) {
    if (slowReadMs < DEFAULT_LEASE_MS) return { faults: [], warnings: [] };
    const warning = `--slow-read-ms: ${slowReadMs} ms is safe only if the read lease of the pool is longer, and it is ${DEFAULT_LEASE_MS} ms unless ock.mmc.meta.lease_ttl_ms says otherwise; let MMC_META_CONFIG_PATH name the meta service's file to have this checked`;
    return { faults: [], warnings: [warning] };
  }
  const { path, line, leaseMs } = lease;
  if (slowReadMs < leaseMs) return { faults: [], warnings: [] };
  const source = line === 0 ? `the default, since ${path} does not set it` : `${path}:${line}`;
  const fault = `--slow-read-ms: a read of ${slowReadMs} ms would be trusted, but the read lease of the pool ends after ${leaseMs} ms (ock.mmc.meta.lease_ttl_ms, ${source}); give less than ${leaseMs}, or raise the lease`;
  return { faults: [fault], warnings: [] };
}
