import type { Config } from '../config/config.ts';
import type { Gateway } from '../http/exchange.ts';
import type { PoolLog } from '../log/waiting-log.ts';
import type { Scheduler } from '../scheduler/scheduler.ts';
import type { RegionChannel } from './region-channel.ts';

/** Maps the regions of the other workers, so that this one can serve their clients once it is ready. */
export async function openBuffers(
  config: Config,
  scheduler: Scheduler,
  regions: RegionChannel,
  log: PoolLog,
): Promise<Gateway['buffers']> {
  if (config.sharedBuffers === 'off') return undefined;
  const { MappedBuffers } = await import('../store/buffers/mapped-buffers.ts');
  const opened = await MappedBuffers.open({
    scheduler,
    supervisorPid: process.ppid,
    report: (generation, state, detail) => regions.report(generation, state, detail),
  });
  if (typeof opened === 'string') {
    log.error(
      { reason: opened },
      'shared buffers are refused: this process could not survive their truncation',
    );
    return undefined;
  }
  await regions.attach(opened);
  return {
    shared: opened,
    serves: config.sharedBuffers,
    copies:
      config.sharedBufferCopies === 'auto'
        ? !scheduler.engine.embedded
        : config.sharedBufferCopies === 'on',
    queues: scheduler.batches,
    arenaWaitMs: config.arenaWaitMs,
    ask: (request) => regions.ask(request),
  };
}
