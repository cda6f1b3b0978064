/** The worker's role: the engine first (engine.md §1), then the HTTP side on top of it, then the log. */
import type { Config } from './config.ts';
import type { Log } from './logger.ts';
import { canPassHandles } from './node-internals/connection-handle.ts';
import { nodeFeatures } from './node-internals/node-features.ts';
import type { WorkerProbes } from './node-internals/probe-features.ts';
import { removePool } from './pool/environment.ts';
import { createWaitingLog, silentLog } from './pool/log.ts';
import { type RunningGateway, runWorker, type WorkerParts } from './pool/worker.ts';

/** The supervisor's stdout; 1 and 2 belong to the engine. */
const logFileDescriptor = 3;

export function becomeWorker(): void {
  let logging: Promise<Log> | undefined;
  // pino is loaded once the worker is ready: nothing before that is urgent to tell.
  const waiting = createWaitingLog();
  /** Set when it was changed, perhaps before there is a log. */
  let logLevel: Config['logLevel'] | undefined;
  const startLog = (config: Config, device: number) => {
    logging = openLog({ ...config, logLevel: logLevel ?? config.logLevel }, device);
    void logging.then(({ logger }) => waiting.attach(logger));
  };

  const setLogLevel = (level: Config['logLevel']) => {
    logLevel = level;
    void logging?.then(({ logger }) => {
      logger.level = level;
    });
  };

  const closeLog = async () => {
    const log = await logging;
    // Connections live until the exit, and the log does not take lines as it closes.
    waiting.attach(silentLog);
    await log?.close();
  };

  const open: WorkerParts['open'] = async ({
    config,
    device,
    version,
    metricsText,
    poolReport,
    echo,
  }) => {
    const { openEngine } = await import('./native/engine-client.ts');
    const opening = openEngine({
      ...engineOptions(config, device),
      onWarning: (text) => waiting.log.warn({}, text),
      // An uncaught error ends this worker, and its successor makes the pool anew.
      onPoolLost: (error) => {
        throw error;
      },
    });
    // The distributed engine needs addresses that our heap would take if it grew meanwhile.
    if (config.engine !== 'embedded') await opening;
    const [engine, { createGatewayServer }] = await Promise.all([
      opening,
      import('./server.ts'),
      probeFeatures(config, echo),
    ]);
    for (const { name, state, reason } of nodeFeatures()) {
      if (state === 'on') continue;
      const level = state === 'failed' ? 'warn' : 'info';
      waiting.log[level](
        { feature: name, state, reason },
        `Node feature ${name} is off (${reason}); the worker uses the documented way, which may be slower`,
      );
    }
    setImmediate(startLog, config, device);
    const server = createGatewayServer({
      config,
      engine,
      logger: waiting.log,
      metricsText,
      poolReport,
      version,
    });
    return {
      facts: {
        engine: config.engine,
        embedded: engine.embedded,
        device: engine.device,
        serviceId: engine.serviceId,
        arenaBytes: engine.arena.totalBytes,
        bareHandles: canPassHandles(),
      },
      accept: (socket) => server.accept(socket),
      drain: (deadlineMs) => server.drain(deadlineMs),
      destroyAll: () => server.destroyAll(),
      remaining: () => ({ requests: server.inFlight(), calls: engine.callsOfRequests }),
      health() {
        const { inFlight, late } = engine.calls();
        return { inFlight, late, stuck: server.isStuck() };
      },
      announceStop: () => server.announceStop(),
      reconfigure({ layout, logLevel: level }) {
        server.setLayouts(layout);
        setLogLevel(level);
      },
      collect: () => server.registry.getMetricsAsJSON(),
      async closeEngine(deadlineMs) {
        const clean = await engine.close(deadlineMs);
        if (!clean && engine.callsOfRequests === 0) {
          waiting.log.warn(
            { deadlineMs },
            'the engine could not be uninitialised in time and is left; to its pool this client has died',
          );
        }
        return clean;
      },
    } satisfies RunningGateway;
  };

  runWorker({
    open,
    explain,
    exit: (code) => void closeLog().finally(() => leave(code)),
  });
}

/** Resolves once each feature is known to work or is off; no client is served before. */
async function probeFeatures(config: Config, echo: WorkerProbes['echo']): Promise<void> {
  const [{ probeWorkerFeatures }, { socketPair }] = await Promise.all([
    import('./node-internals/probe-features.ts'),
    import('./native/socket-pair.ts'),
  ]);
  await probeWorkerFeatures({ disabled: config.disableNodeFeatures, socketPair, echo });
}

function engineOptions(config: Config, device: number) {
  return {
    engine: config.engine,
    device,
    arenaBytes: config.arenaBytes,
    smallReserve: true,
    callSlots: config.callSlots,
    deadlineMs: config.deadlineMs,
    initDeadlineMs: config.initDeadlineMs,
    slowReadMs: config.slowReadMs,
    preload: config.enginePreload,
    // Absent leaves it to the environment.
    ...(config.debugArena ? { debugArena: true } : {}),
  };
}

async function openLog(config: Config, device: number): Promise<Log> {
  const { createLog } = await import('./logger.ts');
  return createLog({
    level: config.logLevel,
    format: config.logFormat === 'pretty' ? 'pretty' : 'json',
    fileDescriptor: logFileDescriptor,
    base: { pid: process.pid, device },
  });
}

/** An engine that can't be loaded will not be loadable in a second; one that answered a code may recover. */
function explain(error: unknown): { message: string; permanent: boolean } {
  if (!(error instanceof Error)) return { message: String(error), permanent: false };
  const loads = error.name === 'EngineLoadError';
  const permanent = loads && (!('code' in error) || error.code === undefined);
  return { message: loads ? error.message : (error.stack ?? error.message), permanent };
}

/** Without the engine's library there is nothing whose exit handlers could harm. */
async function leave(code: number): Promise<void> {
  // Who could not leave the pool leaves its memory behind, which a supervisor takes away, if there is one.
  if (code !== 0 && !process.connected) removePool(process.env['MMC_EMBEDDED_POOL']);
  try {
    const { exitNow } = await import('./native/process-exit.ts');
    exitNow(code);
  } catch {
    process.exit(code);
  }
}
