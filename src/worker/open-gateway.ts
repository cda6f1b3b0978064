import type { Config } from '../config/config.ts';
import type { LateLog } from '../log/late-log.ts';
import type { PoolLog } from '../log/waiting-log.ts';
import type { EngineOptions } from '../native/engine-options.ts';
import { nodeFeatures } from '../node-internals/node-features.ts';
import type { WorkerProbes } from '../node-internals/probe-features.ts';
import { loadTracing } from '../tracing/load-tracing.ts';
import { openBuffers } from './open-buffers.ts';
import type { GatewayStart, RunningGateway } from './running-gateway.ts';

/** The supervisor's stdout; 1 and 2 belong to the engine. */
const logFileDescriptor = 3;

/** Opens the engine first (docs/engine-facts.md §2), then the HTTP side on it, then the log. */
export async function openGateway(start: GatewayStart, log: LateLog): Promise<RunningGateway> {
  const { config, device, echo, regions } = start;
  const { openEngine } = await import('../native/open-engine.ts');
  const opening = openEngine(engineOptions(config, device, log.lines));
  // The distributed engine needs addresses that the heap would take if it grew during the start.
  if (config.engine !== 'embedded') await opening;
  const [engine, tracing, { GatewayServer }, { Scheduler }, secure] = await Promise.all([
    opening,
    loadTracing(log.lines),
    import('./gateway-server.ts'),
    import('../scheduler/scheduler.ts'),
    // Only a gateway with TLS loads its code.
    start.tls === null ? undefined : import('../http/connection/tls-connections.ts'),
    probeFeatures(config, echo),
  ]);
  logFeatures(log.lines);
  // The worker reports that it is ready first: no line before that is urgent.
  setImmediate(() => {
    void log.open({
      level: config.logLevel,
      format: config.logFormat === 'pretty' ? 'pretty' : 'json',
      fileDescriptor: logFileDescriptor,
      base: { pid: process.pid, device },
    });
  });
  const scheduler = new Scheduler(engine, {
    deadlineMs: config.deadlineMs,
    // A call on this thread returns before another request can arrive.
    coalescing: config.coalescing && engine.sync === undefined,
  });
  const buffers = await openBuffers(config, scheduler, regions, log.lines);
  return new GatewayServer({ ...start, secure, scheduler, log, tracing, buffers });
}

function engineOptions(config: Config, device: number, log: PoolLog): EngineOptions {
  return {
    engine: config.engine,
    device,
    arenaBytes: config.arenaBytes,
    peerBytes: config.clientArenaBytes,
    smallReserve: true,
    callSlots: config.callSlots,
    deadlineMs: config.deadlineMs,
    initDeadlineMs: config.initDeadlineMs,
    slowReadMs: config.slowReadMs,
    preload: config.enginePreload,
    // Absent leaves it to the environment.
    ...(config.debugArena ? { debugArena: true } : {}),
    onWarning: (text) => log.warn({}, text),
    // An uncaught error ends this worker, and its successor creates the pool again.
    onPoolLost: (error) => {
      throw error;
    },
  };
}

/** Resolves once each feature is known to work or is off; no client is served before. */
async function probeFeatures(config: Config, echo: WorkerProbes['echo']): Promise<void> {
  const [{ probeWorkerFeatures }, { socketPair }] = await Promise.all([
    import('../node-internals/probe-features.ts'),
    import('../os/socket-pair.ts'),
  ]);
  await probeWorkerFeatures({ disabled: config.disableNodeFeatures, socketPair, echo });
}

function logFeatures(log: PoolLog): void {
  for (const { name, state, reason } of nodeFeatures()) {
    if (state === 'on') continue;
    log[state === 'failed' ? 'warn' : 'info'](
      { feature: name, state, reason },
      `Node feature ${name} is off (${reason}); the worker uses the documented way, which may be slower`,
    );
  }
}
