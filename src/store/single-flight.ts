import type { Block } from '../native/abi/types.ts';
import type { Caller } from '../scheduler/arena-room.ts';
import { type Clock, GroupRead, type Passenger, systemClock } from './group-read.ts';

/** Longest wait for the end of the read in progress, before another one begins beside it. */
export const NEXT_READ_MS = 50;
/** With two, one read that hangs does not stop the requests that arrive after it. */
const MAX_READS = 2;

/**
 * Reads the whole object. `caller` represents all requests that receive the block. `deferred` says
 * that the read begins later than the first of these requests arrived.
 */
export type Read = (caller: Caller, deferred: boolean) => Promise<Block>;

export interface SingleFlightOptions {
  /** A request that cannot begin its read at once fails this long after its arrival. */
  readonly deadlineMs: number;
  readonly clock?: Clock;
}

/** The reads of one key. */
interface KeyReads {
  inFlight: number;
  /** The read that has not begun yet: requests that arrive now join it. */
  next: { readonly read: Read; readonly shared: GroupRead } | undefined;
  cancelTimer: (() => void) | undefined;
}

/**
 * Requests for one object share reads of the engine, as transactions share a group commit. A request
 * never joins a read that has begun: another worker may have changed the object since, and the
 * request must see every change that completed before it arrived. Instead, requests that arrive during
 * a read share the next read. That one begins when a read of the key ends, or NEXT_READ_MS after its
 * first request. At most MAX_READS reads of one key are in flight.
 */
export class SingleFlight {
  readonly #deadlineMs: number;
  readonly #clock: Clock;
  readonly #keys = new Map<string, KeyReads>();
  #joined = 0;

  constructor({ deadlineMs, clock = systemClock }: SingleFlightOptions) {
    this.#deadlineMs = deadlineMs;
    this.#clock = clock;
  }

  /** Requests that received the block of a read for another request. */
  get joined(): number {
    return this.#joined;
  }

  /** The object's block from a read that begins now or later. The request must release the block. */
  join(key: string, caller: Caller | undefined, read: Read): Promise<Block> {
    return new Promise((resolve, reject) => {
      const passenger = { caller, resolve, reject };
      const present = this.#keys.get(key);
      if (present !== undefined) {
        this.#joinNext(key, present, passenger, read);
        return;
      }
      const reads: KeyReads = { inFlight: 0, next: undefined, cancelTimer: undefined };
      this.#keys.set(key, reads);
      const shared = new GroupRead(this.#clock);
      shared.add(passenger);
      this.#begin(key, reads, shared, (all) => read(all, false));
    });
  }

  #joinNext(key: string, reads: KeyReads, passenger: Passenger, read: Read): void {
    if (reads.next !== undefined) {
      this.#joined += 1;
      reads.next.shared.add(passenger);
      return;
    }
    const shared = new GroupRead(this.#clock);
    shared.add(passenger);
    shared.limitWaiting(this.#deadlineMs);
    reads.next = { read, shared };
    if (reads.inFlight < MAX_READS) {
      reads.cancelTimer = this.#clock.after(NEXT_READ_MS, () => this.#beginNext(key, reads));
    }
  }

  #beginNext(key: string, reads: KeyReads): void {
    const { next } = reads;
    reads.cancelTimer?.();
    reads.cancelTimer = undefined;
    reads.next = undefined;
    if (next !== undefined) this.#begin(key, reads, next.shared, (all) => next.read(all, true));
  }

  #begin(
    key: string,
    reads: KeyReads,
    shared: GroupRead,
    read: (all: Caller) => Promise<Block>,
  ): void {
    reads.inFlight += 1;
    const block = new Promise<Block>((resolve) => {
      resolve(read(shared));
    });
    block.then(
      (block) => {
        this.#end(key, reads);
        shared.succeed(block);
      },
      (error: unknown) => {
        this.#end(key, reads);
        shared.fail(error);
      },
    );
  }

  #end(key: string, reads: KeyReads): void {
    reads.inFlight -= 1;
    this.#beginNext(key, reads);
    if (reads.inFlight === 0) this.#keys.delete(key);
  }
}
