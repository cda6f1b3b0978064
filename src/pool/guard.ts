/**
 * What the supervisor does about an error that nobody caught. By default it would be the end of all
 * workers' service, and such an error is most likely one client's doing: an assertion of Node's in
 * the middle of a connection. The supervisor keeps no data that could be half-changed, and each event
 * is handled on its own; what an error may leave behind that matters is a place without a worker. So
 * it is logged and the gateway goes on, unless that has happened: then it ends, since a gateway that
 * says 503 for ever is worse than one that is started again.
 */
import type { PoolLog } from './log.ts';

export interface GuardOptions {
  readonly log: PoolLog;
  /** What must not be lost, and is, in words; empty when all is well. */
  readonly lost: () => string;
  /** Ends the process at once, with a word for the operator. */
  readonly end: (reason: string) => void;
}

/** For as long as the process lives; promises that were rejected unheard come here as well. */
export function guardAgainstErrors({ log, lost, end }: GuardOptions): void {
  process.on('uncaughtException', (error) => {
    log.error({ err: error }, 'an error that nobody caught; the gateway goes on');
    const what = lost();
    if (what !== '') end(`${error.stack ?? String(error)}\nnobody caught this, and ${what}`);
  });
}
