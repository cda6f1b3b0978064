/** The supervisor's role: creates the pool with this program's worker, log and metrics. */
import tty from 'node:tty';
import { fileURLToPath } from 'node:url';
import type { Config, Interpreted } from '../config/config.ts';
import type { SoundTokenFile } from '../config/files.ts';
import { workerHeapOptions } from '../config/heap.ts';
import type { Sound } from '../config/reload.ts';
import { LateLog } from '../log/late-log.ts';
import type { PoolLog } from '../log/waiting-log.ts';
import { newPoolName, removePool, workerEnvironment } from '../messages/environment.ts';
import { threadsFor } from '../native/abi/limits.ts';
import {
  type DescriptorLimit,
  type DescriptorUse,
  descriptorLimit,
  neededDescriptors,
  servableConnections,
  tooFewDescriptors,
} from '../os/descriptors.ts';
import { guardAgainstErrors } from '../supervisor/guard.ts';
import { ListenError } from '../supervisor/listeners/open-server.ts';
import { keepHeapSteady } from '../supervisor/steady-heap.ts';
import { Supervisor } from '../supervisor/supervisor.ts';
import type { SoundTlsFiles } from '../tls/tls-files.ts';
import type { EarlySignals } from './early-signals.ts';
import { readyLine } from './ready-line.ts';
import { followFiles, type RuntimeFiles } from './runtime-files.ts';
import { handleSignals } from './signals.ts';

export interface StartOptions extends Sound {
  /** Interprets flags, environment and settings file again. */
  readonly reread: () => Promise<Interpreted>;
  readonly version: string;
  /** The URL of the file that starts a worker: the entry of the program. */
  readonly program: string;
  readonly warnings: readonly string[];
  readonly reserve: { readonly library: string; readonly bytes: number } | undefined;
  /** The token file as it is at the start, if one is named. */
  readonly tokenFile: SoundTokenFile | undefined;
  /** The files of TLS as they are at the start, if they are named. */
  readonly tls: SoundTlsFiles | undefined;
  /** Since the program began. */
  readonly signals: EarlySignals;
}

const stdout = 1;
const metricsDelayMs = 1000;
/** Services have more clients than this, so a lower bound deserves a warning. */
const FEW_CONNECTIONS = 256;

/** Serves until a signal stops the gateway; resolves with the exit code. */
export async function startGateway(options: StartOptions): Promise<number> {
  const config = { ...options.config, logFormat: resolveFormat(options.config) };
  const log = new LateLog();
  const use = { workers: config.devices.length, listeners: Math.max(1, config.listen.length) };
  const descriptors = checkDescriptors(use, log.lines);
  if (typeof descriptors === 'string') {
    complain(descriptors);
    return 1;
  }
  const poolName = config.poolName ?? newPoolName();
  const files = followFiles({
    started: options,
    reread: options.reread,
    tokenFile: options.tokenFile,
    tls: options.tls && { files: options.tls, ...(await import('./tls-files-watch.ts')) },
    log: log.lines,
    apply(settings) {
      log.setLevel(settings.logLevel);
      return supervisor.reconfigure(settings);
    },
  });
  const supervisor = createSupervisor({ options, config, files, log, poolName, descriptors });
  handleSignals({ supervisor, log: log.lines, reloads: files.reloads });
  options.signals.handOver();
  try {
    await supervisor.start();
  } catch (error) {
    if (!(error instanceof ListenError)) throw error;
    complain(error.message);
    return 1;
  }
  keepHeapSteady();
  // An earlier error ends the program: no client is served yet.
  guardAgainstErrors({
    log: log.lines,
    lost: () => supervisor.describeLost(),
    end(reason) {
      complain(reason);
      process.exit(1);
    },
  });
  try {
    await openLog(log, config);
  } catch (error) {
    complain(`the log cannot be opened: ${error instanceof Error ? error.message : String(error)}`);
    supervisor.closeListeners();
    // The workers leave when their channel ends.
    process.exit(1);
  }
  const code = await supervisor.finished;
  // A worker that was killed could not remove its pool.
  removePool(poolName);
  log.lines.info({ code, uptimeMs: Math.round(process.uptime() * 1000) }, 'stopped');
  await log.close();
  return code;
}

/** Workers log in the format that suits the supervisor's stdout. */
type ResolvedConfig = Config & { readonly logFormat: 'json' | 'pretty' };

interface SupervisorParts {
  readonly options: StartOptions;
  readonly config: ResolvedConfig;
  readonly files: RuntimeFiles;
  readonly log: LateLog;
  readonly poolName: string;
  readonly descriptors: DescriptorLimit | undefined;
}

function createSupervisor(parts: SupervisorParts): Supervisor {
  const { options, config, files, log, poolName, descriptors } = parts;
  const { version, warnings, reserve } = options;
  const isHeapGiven = options.origins.has('maxHeapBytes');
  const heap = workerHeapOptions(config, isHeapGiven, process.execArgv, process.env);
  for (const warning of [...warnings, heap.warning]) {
    if (warning !== undefined) log.lines.warn({}, warning);
  }
  const loadMetrics = () => import('../metrics/aggregation.ts');
  return new Supervisor({
    config,
    runtime: files.settings,
    tokenFile: files.tokenFile,
    setLogLevel: files.setLogLevel,
    tlsFiles: files.tlsFiles,
    devices: config.devices,
    program: {
      file: fileURLToPath(options.program),
      execArgv: [...process.execArgv, ...heap.execArgv],
    },
    env: () =>
      workerEnvironment(process.env, {
        config,
        poolName,
        reserve,
        threads: threadsFor(config.callSlots),
      }),
    log: log.lines,
    onReady(worker, listeners, report) {
      const format = config.logFormat;
      log.print(readyLine({ version, format, worker, listeners, report, descriptors }));
      // Load it after the start and before the first scrape, so that it delays neither.
      setTimeout(() => void loadMetrics(), metricsDelayMs).unref();
    },
    complain,
    renderMetrics: async (samples, own) =>
      (await loadMetrics()).renderPool(samples, { ...own, version }),
    readTotals: async (samples) => (await import('../metrics/totals.ts')).totalsOf(samples),
  });
}

/**
 * How many connections the limit of open files allows, for the ready line; a text when the limit is too
 * low to start. Warns when it allows few.
 */
function checkDescriptors(use: DescriptorUse, log: PoolLog): DescriptorLimit | string | undefined {
  const openFiles = descriptorLimit();
  if (openFiles === undefined) return undefined;
  const needed = neededDescriptors(use);
  if (openFiles < needed) return tooFewDescriptors(openFiles, needed);
  const maxConnections = servableConnections(openFiles, use);
  const descriptors = { openFiles, maxConnections };
  if (maxConnections < FEW_CONNECTIONS) {
    log.warn(descriptors, 'the limit of open files (ulimit -n) allows few connections');
  }
  return descriptors;
}

/** Call this once the workers are being started: pino and they then load at the same time. */
function openLog(log: LateLog, config: ResolvedConfig): Promise<void> {
  return log.open({
    level: config.logLevel,
    format: config.logFormat,
    fileDescriptor: stdout,
    base: { pid: process.pid },
  });
}

/** For the operator, on stderr: it must be visible even where the log goes elsewhere. */
export function complain(message: string): void {
  process.stderr.write(`memcache-gateway: ${message}\n`);
}

function resolveFormat(config: Config): 'json' | 'pretty' {
  if (config.logFormat !== 'auto') return config.logFormat;
  return tty.isatty(stdout) ? 'pretty' : 'json';
}
