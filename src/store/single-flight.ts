import type { Block } from '../native/types.ts';
import type { Caller } from './arena-room.ts';
import { type Clock, GroupRead, type Passenger, systemClock } from './group-read.ts';

/** Longest wait for the read under way to end, before another one begins beside it. */
export const NEXT_READ_MS = 50;
/** With two, one read that hangs does not stop the requests that come after it. */
const MAX_READS = 2;

/**
 * Reads the whole object. `caller` stands for all requests that receive the block. `deferred` says
 * that the read begins later than the first of these requests came.
 */
export type Read = (caller: Caller, deferred: boolean) => Promise<Block>;

export interface SingleFlight {
  /** The object's block from a read that begins now or later. The request must release the block. */
  join(key: string, caller: Caller | undefined, read: Read): Promise<Block>;
  /** Requests that received the block of a read that another request had already asked for. */
  readonly joined: number;
}

export interface SingleFlightOptions {
  /** A request that cannot begin its read at once fails so long after its arrival. */
  readonly deadlineMs: number;
  readonly clock?: Clock;
}

/** The reads of one key. */
interface KeyReads {
  inFlight: number;
  /** The read that has not begun yet: requests that come now join it. */
  next: { readonly read: Read; readonly shared: GroupRead } | undefined;
  cancelTimer: (() => void) | undefined;
}

/**
 * Requests for one object share reads of the engine, as transactions share a group commit. A request
 * never joins a read that has begun: another worker may have changed the object since, and the
 * request must see every change that completed before it came. Instead, requests that come during a
 * read share the next read. That one begins when a read of the key ends, or NEXT_READ_MS after it was
 * wanted. At most MAX_READS reads of one key are in flight.
 */
export function createSingleFlight(options: SingleFlightOptions): SingleFlight {
  const { deadlineMs, clock = systemClock } = options;
  const keys = new Map<string, KeyReads>();
  let joined = 0;

  function begin(
    key: string,
    reads: KeyReads,
    shared: GroupRead,
    read: Read,
    deferred: boolean,
  ): void {
    reads.inFlight += 1;
    const block = new Promise<Block>((resolve) => {
      resolve(read(shared, deferred));
    });
    block.then(
      (block) => {
        ended(key, reads);
        shared.succeed(block);
      },
      (error: unknown) => {
        ended(key, reads);
        shared.fail(error);
      },
    );
  }

  function beginNext(key: string, reads: KeyReads): void {
    const { next } = reads;
    reads.cancelTimer?.();
    reads.cancelTimer = undefined;
    reads.next = undefined;
    if (next !== undefined) begin(key, reads, next.shared, next.read, true);
  }

  function ended(key: string, reads: KeyReads): void {
    reads.inFlight -= 1;
    beginNext(key, reads);
    if (reads.inFlight === 0) keys.delete(key);
  }

  function joinNext(key: string, reads: KeyReads, passenger: Passenger, read: Read): void {
    if (reads.next !== undefined) {
      joined += 1;
      reads.next.shared.add(passenger);
      return;
    }
    const shared = new GroupRead(clock);
    shared.add(passenger);
    shared.limitWaiting(deadlineMs);
    reads.next = { read, shared };
    if (reads.inFlight < MAX_READS) {
      reads.cancelTimer = clock.after(NEXT_READ_MS, () => beginNext(key, reads));
    }
  }

  return {
    join: (key, caller, read) =>
      new Promise((resolve, reject) => {
        const passenger = { caller, resolve, reject };
        const present = keys.get(key);
        if (present !== undefined) {
          joinNext(key, present, passenger, read);
          return;
        }
        const reads: KeyReads = { inFlight: 0, next: undefined, cancelTimer: undefined };
        keys.set(key, reads);
        const shared = new GroupRead(clock);
        shared.add(passenger);
        begin(key, reads, shared, read, false);
      }),
    get joined() {
      return joined;
    },
  };
}
