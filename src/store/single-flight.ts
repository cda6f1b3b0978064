import type { Block } from '../native/types.ts';
import type { Caller } from './arena-room.ts';

/** How long after its read began a block may be given to others who ask for the same object. */
const SHARED_MS = 100;
/** A smaller block is free again before anybody could ask for it. */
const WORTH_SHARING_BYTES = 64 * 1024;

/** Reads the whole object, for a caller who is there as long as any of those is who wait for it. */
export type Read = (caller: Caller) => Promise<Block>;

export interface SingleFlight {
  /** The object's block, of which the caller is a user: from a read under way, else from `read`. */
  join(key: string, caller: Caller | undefined, read: Read): Promise<Block>;
  /**
   * The block of an earlier read that is still in use, with `size` bytes. The caller must have seen
   * that the object is still there, and so long.
   */
  shared(key: string, size: number): Block | undefined;
  /** Whether `shared` may have one. */
  mayShare(key: string): boolean;
  /** The object has changed: who asks from now on gets nothing that was read before. */
  forget(key: string): void;
  /** Reads that were saved. */
  readonly joined: number;
}

/**
 * Requests for one object at one time share one read of the engine and one block, which is free when
 * the last of them has let go. One who leaves disturbs nobody.
 *
 * A large block that is still being sent is shared too, for a moment: what asks then is told by the
 * engine that the object is still there. An object that another client has replaced by one of the
 * same length within that moment is all that this can miss; replacing is not atomic anyway.
 */
export function createSingleFlight(now: () => number = () => performance.now()): SingleFlight {
  const flights = new Map<string, Flight>();
  const blocks = new Map<string, SharedBlock>();
  let joined = 0;

  /** Gives the block to all who wait for it, and answers with the first one's hold on it. */
  function land(key: string, flight: Flight, beganMs: number, block: Block): Block {
    const isCurrent = flights.get(key) === flight;
    if (isCurrent) flights.delete(key);
    const { others } = flight;
    if (others.length === 0 && block.length < WORTH_SHARING_BYTES) return block;
    const shared = new SharedBlock(block, beganMs, () => {
      if (blocks.get(key) === shared) blocks.delete(key);
    });
    if (isCurrent) blocks.set(key, shared);
    for (const other of others) {
      shared.retain();
      other.resolve(shared);
    }
    return shared;
  }

  return {
    join(key, caller, read) {
      const present = flights.get(key);
      if (present !== undefined) {
        joined += 1;
        return new Promise((resolve, reject) => present.board({ caller, resolve, reject }));
      }
      const flight = new Flight(caller);
      flights.set(key, flight);
      const beganMs = now();
      return read(flight).then(
        (block) => land(key, flight, beganMs, block),
        (error: unknown) => {
          if (flights.get(key) === flight) flights.delete(key);
          for (const { reject } of flight.others) reject(error);
          throw error;
        },
      );
    },
    shared(key, size) {
      const block = blocks.get(key);
      if (block === undefined || block.length !== size || !block.isFresh(now())) return undefined;
      joined += 1;
      block.retain();
      return block;
    },
    mayShare: (key) => blocks.get(key)?.isFresh(now()) === true,
    forget(key) {
      flights.delete(key);
      blocks.delete(key);
    },
    get joined() {
      return joined;
    },
  };
}

interface Passenger {
  readonly caller: Caller | undefined;
  readonly resolve: (block: Block) => void;
  readonly reject: (error: unknown) => void;
}

/** A read under way, and those who wait for it: to the arena they are one caller. */
class Flight implements Caller {
  readonly others: Passenger[] = [];
  readonly #first: Caller | undefined;
  readonly #listeners = new Set<() => void>();
  readonly #look = (): void => {
    if (this.destroyed) for (const listener of [...this.#listeners]) listener();
  };

  constructor(first: Caller | undefined) {
    this.#first = first;
  }

  board(passenger: Passenger): void {
    this.others.push(passenger);
    if (this.#listeners.size > 0) this.#watch(passenger.caller);
  }

  /** Whether nobody is there any more to whom the block could be given. */
  get destroyed(): boolean {
    return this.#callers().every((caller) => caller !== undefined && hasLeft(caller));
  }

  get readableEnded(): boolean {
    return this.destroyed;
  }

  /** The callers are watched only while something is waited for. */
  once(event: 'end' | 'close', listener: () => void): void {
    if (event !== 'close') return;
    if (this.#listeners.size === 0) for (const caller of this.#callers()) this.#watch(caller);
    this.#listeners.add(listener);
  }

  off(event: 'end' | 'close', listener: () => void): void {
    if (event !== 'close' || !this.#listeners.delete(listener) || this.#listeners.size > 0) return;
    for (const caller of this.#callers()) {
      caller?.off('end', this.#look);
      caller?.off('close', this.#look);
    }
  }

  #callers(): (Caller | undefined)[] {
    return [this.#first, ...this.others.map(({ caller }) => caller)];
  }

  #watch(caller: Caller | undefined): void {
    caller?.once('end', this.#look);
    caller?.once('close', this.#look);
  }
}

const hasLeft = ({ destroyed, readableEnded }: Caller): boolean => destroyed || readableEnded;

/** A block with many users, that tells when the last has let go. */
class SharedBlock implements Block {
  readonly length: number;
  readonly #block: Block;
  readonly #beganMs: number;
  readonly #freed: () => void;
  #users = 1;

  constructor(block: Block, beganMs: number, freed: () => void) {
    this.#block = block;
    this.length = block.length;
    this.#beganMs = beganMs;
    this.#freed = freed;
  }

  get view(): Buffer {
    return this.#block.view;
  }

  isFresh(nowMs: number): boolean {
    return nowMs - this.#beganMs < SHARED_MS;
  }

  retain(): void {
    if (this.#users === 0) throw new Error('a freed block was retained');
    this.#users += 1;
  }

  release(): void {
    if (this.#users === 0) throw new Error('a block was released twice');
    this.#users -= 1;
    if (this.#users > 0) return;
    this.#freed();
    this.#block.release();
  }
}
