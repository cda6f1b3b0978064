import { LateLog } from '../log/late-log.ts';
import { removePool } from '../messages/environment.ts';
import { allocateYoung } from './allocation.ts';
import { openGateway } from './open-gateway.ts';
import { runWorker } from './run-worker.ts';
import { keepTicksFast } from './ticks.ts';

/** Makes this process a worker of its supervisor. */
export function becomeWorker(): void {
  allocateYoung();
  keepTicksFast();
  const log = new LateLog();
  runWorker({
    open: (start) => openGateway(start, log),
    explain,
    warn: (fields, message) => log.lines.warn(fields, message),
    exit: (code) => void log.close().finally(() => leave(code)),
  });
}

/** An engine that cannot be loaded fails again after a restart; one that returned a code may recover. */
function explain(error: unknown): { message: string; permanent: boolean } {
  if (!(error instanceof Error)) return { message: String(error), permanent: false };
  const loads = error.name === 'EngineLoadError';
  const permanent = loads && (!('errno' in error) || error.errno === undefined);
  return { message: loads ? error.message : (error.stack ?? error.message), permanent };
}

/** Without the engine's library no exit handlers can do harm. */
async function leave(code: number): Promise<void> {
  // A worker that could not leave the pool leaves its memory behind. The supervisor removes the pool, if there is one.
  if (code !== 0 && !process.connected) removePool(process.env['MMC_EMBEDDED_POOL']);
  try {
    const { exitNow } = await import('../os/process-exit.ts');
    exitNow(code);
  } catch {
    process.exit(code);
  }
}
