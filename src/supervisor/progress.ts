/**
 * Logs that engines are still starting: they take up to 20 s, and a minute to find that there is no
 * meta service (docs/engine-facts.md §3).
 */
import type { PoolLog } from '../log/waiting-log.ts';
import type { ClientReport } from '../messages/report.ts';

export interface ProgressOptions {
  readonly log: PoolLog;
  readonly clients: () => readonly ClientReport[];
  readonly firstMs?: number;
  readonly againMs?: number;
}

export interface Progress {
  /** Call this for each worker that is being started. */
  started(): void;
  end(): void;
}

/** A line after `firstMs`, then every `againMs`, for as long as a worker is starting. */
export function createProgress(options: ProgressOptions): Progress {
  const { log, clients, firstMs = 5000, againMs = 15_000 } = options;
  let timer: NodeJS.Timeout | undefined;
  let ended = false;

  function tell(): void {
    const starting = clients().filter(({ state }) => state === 'starting');
    timer = undefined;
    if (starting.length === 0) return;
    timer = setTimeout(tell, againMs).unref();
    const each = starting.map(
      ({ device, uptimeMs }) => `device ${device} for ${Math.round(uptimeMs / 1000)} s`,
    );
    const devices = starting.map(({ device }) => device);
    log.info({ devices }, `still starting: ${each.join(', ')}`);
  }

  return {
    started() {
      if (!ended) timer ??= setTimeout(tell, firstMs).unref();
    },
    end() {
      ended = true;
      clearTimeout(timer);
    },
  };
}
