/**
 * Keeps the supervisor running after an uncaught error. By default Node would end it, and with it
 * the service of all workers, though the cause is most likely one client: an assertion of Node's in
 * the middle of a connection. The supervisor has no data that could be half-changed, and it handles
 * each event on its own. But an error may leave a place without a worker. Then the gateway ends,
 * since a gateway that never stops responding with 503 is worse than a restart.
 */
import type { PoolLog } from '../log/waiting-log.ts';

export interface GuardOptions {
  readonly log: PoolLog;
  /** The places that have lost their worker for good, in words; empty without any. */
  readonly lost: () => string;
  /** Ends the process at once; `reason` is for the operator. */
  readonly end: (reason: string) => void;
}

/** For as long as the process lives; also for rejections that no code handles. */
export function guardAgainstErrors({ log, lost, end }: GuardOptions): void {
  process.on('uncaughtException', (error) => {
    log.error({ err: error }, 'uncaught error; the gateway continues');
    const what = lost();
    if (what !== '') end(`${error.stack ?? String(error)}\nthis error was not caught, and ${what}`);
  });
}
