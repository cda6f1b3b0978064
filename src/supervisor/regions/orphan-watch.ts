import { processStart } from '../../os/process-start.ts';
import type { RegionRecord } from './region-record.ts';

export interface OrphanWatchOptions {
  /** The listed regions, as a copy: `onOrphan` may remove from the list. */
  readonly records: () => readonly RegionRecord[];
  /** Called for a region at each look, until it is no longer listed. */
  readonly onOrphan: (record: RegionRecord, reason: string) => void;
  readonly watchMs?: number;
}

/** Finds, once a second, the regions whose owner has ended or whose time is over. */
export class OrphanWatch {
  readonly #options: OrphanWatchOptions;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: OrphanWatchOptions) {
    this.#options = options;
  }

  /** Without effect while it runs. */
  start(): void {
    const { watchMs = 1000 } = this.#options;
    this.#timer ??= setInterval(() => this.#look(), watchMs).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    for (const record of this.#options.records()) {
      if (hasOwnerEnded(record)) this.#options.onOrphan(record, 'its owner has ended');
      else if (record.hasExpired) this.#options.onOrphan(record, 'its time is over');
    }
  }
}

/** The start time tells the owner from a later process with the same pid. */
function hasOwnerEnded({ owner: { pid, startTicks } }: RegionRecord): boolean {
  return pid !== null && startTicks !== null && processStart(pid) !== startTicks;
}
