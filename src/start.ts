/** The supervisor's role: puts the pool together with this program's worker, log and metrics. */
import path from 'node:path';
import tty from 'node:tty';
import { fileURLToPath } from 'node:url';
import type { Config, Interpreted } from './config.ts';
import { workerHeapOptions } from './config-heap.ts';
import { formatBytes } from './config-kinds.ts';
import type { Reloadable, Sound } from './config-reload.ts';
import { table } from './config-table.ts';
import {
  type DescriptorLimit,
  type DescriptorUse,
  descriptorLimit,
  neededDescriptors,
  servableConnections,
  tooFewDescriptors,
} from './descriptors.ts';
import type { EarlySignals } from './early-signals.ts';
import type { Log } from './logger.ts';
import { threadsFor } from './native/limits.ts';
import { newPoolName, removePool, workerEnvironment } from './pool/environment.ts';
import { guardAgainstErrors } from './pool/guard.ts';
import type { Listeners } from './pool/listeners.ts';
import { createWaitingLog, type PoolLog, silentLog } from './pool/log.ts';
import { ListenError } from './pool/open-server.ts';
import type { WorkerFacts } from './pool/protocol.ts';
import type { PoolReport } from './pool/report.ts';
import { keepHeapSteady } from './pool/steady-heap.ts';
import { Supervisor } from './pool/supervisor.ts';
import { createReload, meaningOfHangup } from './reload.ts';

export interface StartOptions extends Sound {
  /** Interprets flags, environment and settings file anew. */
  readonly reread: () => Promise<Interpreted>;
  readonly version: string;
  readonly warnings: readonly string[];
  readonly reserve: { readonly library: string; readonly bytes: number } | undefined;
  /** Since the program began. */
  readonly signals: EarlySignals;
}

const stdout = 1;
/** npm passes a Ctrl-C on that the terminal has sent already, timeout(1) signals twice: one wish, not two. */
const sameWishMs = 100;
const metricsDelayMs = 1000;
/** Services have more clients than this, so a lower bound deserves a warning. */
const FEW_CONNECTIONS = 256;

/** Serves until told to stop; resolves with the exit code. */
export async function startGateway(options: StartOptions): Promise<number> {
  const { version, warnings, reserve } = options;
  const config = { ...options.config, logFormat: resolveFormat(options.config) };
  const waiting = createWaitingLog();
  const use = { workers: config.devices.length, listeners: Math.max(1, config.listen.length) };
  const descriptors = checkDescriptors(use, waiting.log);
  if (typeof descriptors === 'string') {
    complain(descriptors);
    return 1;
  }
  const poolName = newPoolName();
  const isHeapGiven = options.origins.has('maxHeapBytes');
  const heap = workerHeapOptions(config, isHeapGiven, process.execArgv, process.env);
  const loadMetrics = () => import('./metrics/aggregation.ts');
  const supervisor = new Supervisor({
    config,
    version,
    devices: config.devices,
    program: { file: siblingOf('main'), execArgv: [...process.execArgv, ...heap.execArgv] },
    env: () =>
      workerEnvironment(process.env, {
        config,
        poolName,
        reserve,
        threads: threadsFor(config.callSlots),
      }),
    log: waiting.log,
    onReady(facts, listeners, report) {
      const line = readyLine(facts, listeners, report, version, config.logFormat, descriptors);
      void logging.then((log) => log.print(line));
      // Not in the first scrape's time, nor in the start's.
      setTimeout(() => void loadMetrics(), metricsDelayMs).unref();
    },
    complain,
    renderMetrics: async (samples, own) => (await loadMetrics()).renderPool(samples, own),
  });
  let { logLevel } = config;
  /** Until there is a log, it is enough to know the level. */
  let setLogLevel = () => {};
  const apply = (settings: Reloadable) => {
    logLevel = settings.logLevel;
    setLogLevel();
    supervisor.reconfigure(settings);
  };
  const stop = stopOnSignals(supervisor);
  reloadOnHangup({ options, apply, stop, log: waiting.log });
  options.signals.handOver();
  try {
    await supervisor.start();
  } catch (error) {
    if (!(error instanceof ListenError)) throw error;
    complain(error.message);
    return 1;
  }
  keepHeapSteady();
  // An error before is the end: there is no service yet that could go on.
  guardAgainstErrors({
    log: waiting.log,
    lost: () => supervisor.describeLost(),
    end(reason) {
      complain(reason);
      process.exit(1);
    },
  });
  // Only now that the worker is on its way: both load at the same time.
  const logging = openLog(config);
  const log = await logging;
  const { logger } = log;
  setLogLevel = () => {
    logger.level = logLevel;
  };
  setLogLevel();
  waiting.attach(logger);
  for (const warning of [...warnings, heap.warning]) {
    if (warning !== undefined) logger.warn(warning);
  }
  const code = await supervisor.finished;
  // A worker that was killed could not take its pool away, and the name is ours alone.
  removePool(poolName);
  // Connections without a worker are still answered, and the log does not take lines as it closes.
  waiting.attach(silentLog);
  await log.close();
  return code;
}

/**
 * How many connections the limit of open files allows, for the ready line; a text when it does not
 * allow to start. Warns when it allows few.
 */
function checkDescriptors(use: DescriptorUse, log: PoolLog): DescriptorLimit | string | undefined {
  const openFiles = descriptorLimit();
  if (openFiles === undefined) return undefined;
  const needed = neededDescriptors(use);
  if (openFiles < needed) return tooFewDescriptors(openFiles, needed);
  const maxConnections = servableConnections(openFiles, use.workers);
  const descriptors = { openFiles, maxConnections };
  if (maxConnections < FEW_CONNECTIONS) {
    log.warn(descriptors, 'the limit of open files (ulimit -n) allows few connections');
  }
  return descriptors;
}

async function openLog(config: Config & { logFormat: 'json' | 'pretty' }): Promise<Log> {
  const { createLog } = await import('./logger.ts');
  return createLog({
    level: config.logLevel,
    format: config.logFormat,
    fileDescriptor: stdout,
    base: { pid: process.pid },
  });
}

/** A module beside this one, as built or as source. */
function siblingOf(name: string): string {
  return fileURLToPath(new URL(`${name}${path.extname(import.meta.url)}`, import.meta.url));
}

/** For people, on stderr: it must be read even where the log goes elsewhere. */
export function complain(message: string): void {
  process.stderr.write(`memcache-gateway: ${message}\n`);
}

function resolveFormat(config: Config): 'json' | 'pretty' {
  if (config.logFormat !== 'auto') return config.logFormat;
  return tty.isatty(stdout) ? 'pretty' : 'json';
}

/** Gives what handles these signals, for another that means the same. */
function stopOnSignals(supervisor: Supervisor): (signal: NodeJS.Signals) => void {
  let last: { signal: NodeJS.Signals; time: number } | undefined;
  const handle = (signal: NodeJS.Signals) => {
    const time = performance.now();
    const same = last?.signal === signal && time - last.time < sameWishMs;
    last = { signal, time };
    if (same) return;
    if (supervisor.stopping) supervisor.kill(`a second signal, ${signal}`);
    else supervisor.stop(signal);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, handle);
  return handle;
}

interface HangupOptions {
  readonly options: StartOptions;
  readonly apply: (settings: Reloadable) => void;
  readonly stop: (signal: NodeJS.Signals) => void;
  readonly log: PoolLog;
}

function reloadOnHangup({ options, apply, stop, log }: HangupOptions): void {
  const { settingsFile } = options.config;
  const startedOnTerminal = tty.isatty(stdout);
  const reload = createReload({ started: options, reread: options.reread, apply, log });
  process.on('SIGHUP', () => {
    const onTerminal = tty.isatty(stdout);
    const meaning = meaningOfHangup({ settingsFile, startedOnTerminal, onTerminal });
    if (meaning === 'stop') stop('SIGHUP');
    else if (meaning === 'reload') void reload();
    else log.warn({}, 'SIGHUP: nothing to read again, since there is no --settings-file');
  });
}

function readyLine(
  facts: WorkerFacts,
  { addresses, tcp }: Listeners,
  { clients }: PoolReport,
  version: string,
  format: 'json' | 'pretty',
  descriptors: DescriptorLimit | undefined,
): string {
  // With socket files alone there is no URL for a browser.
  const address = tcp?.address ?? addresses[0];
  const docs = tcp && `${tcp.address}/docs`;
  const { engine, arenaBytes } = facts;
  const ready = clients.filter(({ state }) => state === 'ready');
  const devices = ready.map(({ device }) => device);
  // Those that have died meanwhile are started again.
  const starting = clients.length - ready.length;
  const startMs = Math.round(performance.now());
  if (format === 'json') {
    const time = new Date().toISOString();
    const where = { address, addresses, docs, host: tcp?.host, port: tcp?.port };
    return JSON.stringify({
      level: 'info',
      time,
      pid: process.pid,
      ...where,
      engine,
      arenaBytes,
      devices,
      serviceIds: ready.map(({ serviceId }) => serviceId),
      starting,
      ...descriptors,
      version,
      startMs,
      msg: 'ready',
    });
  }
  const served = `${devices.length > 1 ? 'devices' : 'device'} ${table.devices.kind.write(devices)}`;
  const others = starting === 0 ? '' : `; still starting: ${starting}`;
  const name = engine === 'embedded' ? 'the embedded engine' : `engine ${engine}`;
  const fits = descriptors ? `, at most ${descriptors.maxConnections} connections` : '';
  const tried = docs === undefined ? '' : ` (try ${docs})`;
  return `memcache-gateway ${version} is ready at ${addresses.join(', ')}${tried}: ${name}, ${served}, arena ${formatBytes(arenaBytes)}${devices.length > 1 ? ' each' : ''}, started in ${startMs} ms${fits}${others}`;
}
