/** The supervisor's role: puts the pool together with this program's worker, log and metrics. */
import tty from 'node:tty';
import { fileURLToPath } from 'node:url';
import type { Config } from './config.ts';
import { formatBytes } from './config-kinds.ts';
import { newPoolName, workerEnvironment } from './pool/environment.ts';
import { type Listener, urlOf } from './pool/listener.ts';
import { createWaitingLog } from './pool/log.ts';
import type { WorkerFacts } from './pool/protocol.ts';
import { Supervisor } from './pool/supervisor.ts';

export interface StartOptions {
  readonly config: Config;
  readonly version: string;
  readonly warnings: readonly string[];
  readonly reserve: { readonly library: string; readonly bytes: number } | undefined;
}

const stdout = 1;
/** npm passes Ctrl-C on, and the terminal has sent it already: one wish, not two. */
const sameInterruptMs = 200;

/** Serves until told to stop; resolves with the exit code. */
export async function startGateway(options: StartOptions): Promise<number> {
  const { config, version, warnings, reserve } = options;
  const logFormat = resolveFormat(config);
  const waiting = createWaitingLog();
  const poolName = newPoolName();
  let print: (line: string) => void = () => {};
  const supervisor = new Supervisor({
    config: { ...config, logFormat },
    version,
    devices: [config.device],
    program: {
      file: fileURLToPath(
        new URL(import.meta.url.endsWith('.ts') ? 'main.ts' : 'main.js', import.meta.url),
      ),
      execArgv: process.execArgv,
    },
    env: () => workerEnvironment(process.env, { config, poolName, reserve }),
    log: waiting.log,
    onReady: (facts, listener) => print(readyLine(facts, listener, version, logFormat)),
    complain,
    renderMetrics: async (workers, own) => {
      const { renderPool } = await import('./metrics/aggregation.ts');
      return renderPool(workers, own);
    },
  });
  const exitCode = supervisor.run();
  stopOnSignals(supervisor);
  const { createLog } = await import('./logger.ts');
  const log = await createLog({
    level: config.logLevel,
    format: logFormat,
    fileDescriptor: stdout,
    base: { pid: process.pid },
  });
  print = log.print;
  waiting.attach(log.logger);
  for (const warning of warnings) log.logger.warn(warning);
  const code = await exitCode;
  log.flush();
  return code;
}

/** For people, on stderr: it must be read even where the log goes elsewhere. */
export function complain(message: string): void {
  process.stderr.write(`memcache-gateway: ${message}\n`);
}

function resolveFormat(config: Config): 'json' | 'pretty' {
  if (config.logFormat !== 'auto') return config.logFormat;
  return tty.isatty(stdout) ? 'pretty' : 'json';
}

function stopOnSignals(supervisor: Supervisor): void {
  let interruptedAt = Number.NEGATIVE_INFINITY;
  const handle = (signal: NodeJS.Signals) => {
    const repeated = signal === 'SIGINT' && performance.now() - interruptedAt < sameInterruptMs;
    if (signal === 'SIGINT') interruptedAt = performance.now();
    if (repeated) return;
    if (supervisor.stopping) supervisor.kill(`a second signal, ${signal}`);
    else supervisor.stop(signal);
  };
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, handle);
}

function readyLine(
  facts: WorkerFacts,
  listener: Listener,
  version: string,
  format: 'json' | 'pretty',
): string {
  const address = urlOf(listener.host, listener.port);
  const docs = `${address}/docs`;
  const { engine, arenaBytes, device, serviceId } = facts;
  const startMs = Math.round(performance.now());
  if (format === 'json') {
    const time = new Date().toISOString();
    const members = { address, docs, host: listener.host, port: listener.port, engine, arenaBytes };
    return JSON.stringify({
      level: 'info',
      time,
      pid: process.pid,
      ...members,
      device,
      serviceId,
      version,
      startMs,
      msg: 'ready',
    });
  }
  const name = engine === 'embedded' ? 'the embedded engine' : `engine ${engine}`;
  return `memcache-gateway ${version} is ready at ${address} (try ${docs}): ${name}, device ${device}, arena ${formatBytes(arenaBytes)}, started in ${startMs} ms`;
}
