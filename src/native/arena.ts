import type { Address } from './abi.ts';
import { ArenaFullError } from './errors.ts';
import type { MappedRegion } from './memory.ts';
import type { NativeBlock } from './native-block.ts';
import { Tlsf } from './tlsf.ts';
import type { Arena, ArenaStats } from './types.ts';

/** Blocks start and end on cache lines. */
const GRANULE_BYTES = 64;
const POISON = 0xdb;
/** A longer time is taken for 1 ms by Node. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export interface ArenaOptions {
  /** Fills freed blocks with 0xDB, so that a use after free is seen in the bytes. */
  debug: boolean;
}

interface Region {
  readonly address: Address;
  readonly bytes: Buffer;
  readonly space: Tlsf;
}

interface Waiter {
  readonly bytes: number;
  give(block: ArenaBlock): void;
}

/**
 * Hands out blocks of memory that is mapped already (design.md §2): at once, or in order of asking.
 * A region per 4 GiB, since nothing larger can be viewed; a block lies in one region.
 */
export class MemoryArena implements Arena {
  readonly totalBytes: number;
  readonly maxBlockBytes: number;
  readonly #regions: Region[];
  readonly #debug: boolean;
  /** In order of asking: a Set keeps it, and lets a waiter leave from anywhere. */
  readonly #waiters = new Set<Waiter>();
  #waitingBytes = 0;
  #usedBytes = 0;
  #blocks = 0;

  constructor(memory: readonly MappedRegion[], options: ArenaOptions) {
    this.#regions = memory.map(({ address, bytes }) => ({
      address,
      bytes,
      space: new Tlsf(Math.floor(bytes.length / GRANULE_BYTES)),
    }));
    const sizes = this.#regions.map((region) => region.space.granules * GRANULE_BYTES);
    this.totalBytes = sizes.reduce((sum, size) => sum + size, 0);
    this.maxBlockBytes = Math.max(0, ...sizes);
    this.#debug = options.debug;
  }

  tryAllocate(bytes: number): ArenaBlock | undefined {
    checkSize(bytes);
    if (this.#waiters.size > 0) return undefined;
    return this.#take(bytes);
  }

  allocate(
    bytes: number,
    options: { deadlineMs: number; signal?: AbortSignal },
  ): Promise<ArenaBlock> {
    const { deadlineMs, signal } = options;
    return new Promise((resolve, reject) => {
      checkSize(bytes);
      if (bytes > this.maxBlockBytes) {
        throw new RangeError(`${bytes} bytes can never fit: at most ${this.maxBlockBytes}`);
      }
      signal?.throwIfAborted();
      const block = this.tryAllocate(bytes);
      if (block !== undefined) {
        resolve(block);
        return;
      }
      const leave = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', abort);
        this.#waiters.delete(waiter);
        this.#waitingBytes -= bytes;
      };
      const giveUp = (reason: Error): void => {
        leave();
        reject(reason);
        // Those behind may fit where this one did not.
        this.#serve();
      };
      const abort = (): void => giveUp(signal?.reason as Error);
      const waiter: Waiter = {
        bytes,
        give: (given) => {
          leave();
          resolve(given);
        },
      };
      const full = (): void => giveUp(new ArenaFullError(bytes, deadlineMs));
      const timer = setTimeout(full, Math.min(deadlineMs, MAX_TIMER_MS));
      signal?.addEventListener('abort', abort);
      this.#waiters.add(waiter);
      this.#waitingBytes += bytes;
    });
  }

  stats(): ArenaStats {
    return {
      totalBytes: this.totalBytes,
      usedBytes: this.#usedBytes,
      blocks: this.#blocks,
      waiters: this.#waiters.size,
      waitingBytes: this.#waitingBytes,
    };
  }

  /** Called by a block whose last user let go. */
  reclaim(region: Region, record: number): void {
    const { space, bytes } = region;
    const start = space.startOf(record) * GRANULE_BYTES;
    const size = space.sizeOf(record) * GRANULE_BYTES;
    if (this.#debug) bytes.fill(POISON, start, start + size);
    const run = space.release(record) * GRANULE_BYTES;
    this.#usedBytes -= size;
    this.#blocks--;
    // The first in line did not fit before; only the run that just grew can hold it now.
    if (this.#waiters.size > 0 && run >= this.#firstWaiter().bytes) this.#serve();
  }

  #take(bytes: number): ArenaBlock | undefined {
    const granules = Math.ceil(bytes / GRANULE_BYTES);
    for (const region of this.#regions) {
      const record = region.space.allocate(granules);
      if (record < 0) continue;
      this.#usedBytes += granules * GRANULE_BYTES;
      this.#blocks++;
      return new ArenaBlock(this, region, record, bytes);
    }
    return undefined;
  }

  /** Strictly in order: a large request is not starved by small ones behind it. */
  #serve(): void {
    while (this.#waiters.size > 0) {
      const waiter = this.#firstWaiter();
      const block = this.#take(waiter.bytes);
      if (block === undefined) return;
      waiter.give(block);
    }
  }

  #firstWaiter(): Waiter {
    for (const waiter of this.#waiters) return waiter;
    throw new Error('nobody waits');
  }
}

class ArenaBlock implements NativeBlock {
  readonly length: number;
  readonly address: Address;
  readonly memory: Buffer;
  readonly start: number;
  readonly #arena: MemoryArena;
  readonly #region: Region;
  readonly #record: number;
  #users = 1;
  #view: Buffer | undefined;

  constructor(arena: MemoryArena, region: Region, record: number, length: number) {
    this.#arena = arena;
    this.#region = region;
    this.#record = record;
    this.length = length;
    this.start = region.space.startOf(record) * GRANULE_BYTES;
    this.memory = region.bytes;
    this.address = (region.address + this.start) as Address;
  }

  get view(): Buffer {
    if (this.#users === 0) throw new Error('a freed block was read');
    // Made on first use: calls that only pass the block on need none.
    this.#view ??= this.memory.subarray(this.start, this.start + this.length);
    return this.#view;
  }

  retain(): void {
    if (this.#users === 0) throw new Error('a freed block was retained');
    this.#users++;
  }

  release(): void {
    if (this.#users === 0) throw new Error('a block was freed twice');
    if (--this.#users === 0) this.#arena.reclaim(this.#region, this.#record);
  }
}

function checkSize(bytes: number): void {
  if (!Number.isSafeInteger(bytes) || bytes < 1) {
    throw new RangeError(`a block of ${bytes} bytes: must be a whole number of at least 1`);
  }
}
