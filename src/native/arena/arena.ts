import { ArenaFullError } from '../abi/errors.ts';
import { SMALL_BLOCK_BYTES } from '../abi/limits.ts';
import type { Arena, ArenaPressure, ArenaStats } from '../abi/types.ts';
import type { MappedRegion } from './memory.ts';
import type { NativeBlock } from './native-block.ts';
import { PeerShares, type Share } from './peer-shares.ts';
import { Refusals } from './refusals.ts';
import { blockOf, GRANULE_BYTES, type Region, regionOf, sizeOf, type Tenancy } from './region.ts';
import { RoomQueue, type RoomWaiter } from './room-queue.ts';

const POISON = 0xdb;
/** Node treats a longer time as 1 ms. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export interface ArenaOptions {
  /** Overwrites released blocks with 0xDB, so that a use after release shows in the bytes. */
  debug: boolean;
  /** Bytes in large blocks that one peer may hold while others wait; a quarter of the arena by default. */
  peerBytes?: number | undefined;
  /** Memory for small blocks only; none by default. */
  reserve?: readonly MappedRegion[];
}

/**
 * Allocates blocks of mapped memory, at once or in order of request. A region has at most 4 GiB,
 * because no larger view is possible. A block is in one region.
 *
 * A peer is an object that represents one client. While others wait, a peer holds at most its share of
 * the arena in large blocks and at most a sixteenth of the reserve in small ones. A peer that holds
 * nothing gets one block of any size (docs/decisions/0014-slow-clients.md).
 */
export class MemoryArena implements Arena {
  readonly totalBytes: number;
  readonly maxBlockBytes: number;
  readonly #regions: readonly Region[];
  readonly #reserve: readonly Region[];
  readonly #reserveBytes: number;
  readonly #debug: boolean;
  readonly #queue = new RoomQueue<NativeBlock>();
  readonly #largeShares: PeerShares;
  readonly #reserveShares: PeerShares;
  readonly #refusals = new Refusals();
  #shareRefusals = 0;
  #usedBytes = 0;
  #blocks = 0;

  constructor(memory: readonly MappedRegion[], options: ArenaOptions) {
    const allocatable = (mapped: MappedRegion) =>
      regionOf(mapped, (region, tenancy, length) => this.#reclaim(region, tenancy, length));
    this.#regions = memory.map(allocatable);
    this.#reserve = (options.reserve ?? []).map(allocatable);
    this.totalBytes = this.#regions.reduce((sum, region) => sum + sizeOf(region), 0);
    this.#reserveBytes = this.#reserve.reduce((sum, region) => sum + sizeOf(region), 0);
    this.maxBlockBytes = Math.max(0, ...this.#regions.map(sizeOf));
    this.#largeShares = new PeerShares(options.peerBytes ?? Math.floor(this.totalBytes / 4));
    this.#reserveShares = new PeerShares(
      Math.max(SMALL_BLOCK_BYTES, Math.floor(this.#reserveBytes / 16)),
    );
    this.#debug = options.debug;
  }

  tryAllocate(bytes: number, peer?: object): NativeBlock | undefined {
    checkSize(bytes);
    if (this.#queue.size === 0) {
      return this.#fromReserve(bytes, peer) ?? this.#fromRegions(bytes, peer);
    }
    // Memory outside the reserve belongs to the queue first, and so does the reserve while small requests wait.
    const reserveIsFull = this.#queue.firstSmall(this.#isWithinReserveShare) !== undefined;
    return reserveIsFull ? undefined : this.#fromReserve(bytes, peer);
  }

  allocate(
    bytes: number,
    options: { deadlineMs: number; signal?: AbortSignal; peer?: object | undefined },
  ): Promise<NativeBlock> {
    const { deadlineMs, signal, peer } = options;
    return new Promise((resolve, reject) => {
      checkSize(bytes);
      if (bytes > this.maxBlockBytes) {
        throw new RangeError(`${bytes} bytes can never fit: at most ${this.maxBlockBytes}`);
      }
      signal?.throwIfAborted();
      const block = this.tryAllocate(bytes, peer);
      if (block !== undefined) {
        resolve(block);
        return;
      }
      const leave = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', abort);
        this.#queue.remove(waiter);
      };
      const giveUp = (reason: Error): void => {
        leave();
        reject(reason);
        // The requests after this one may fit where this one did not.
        this.#serve();
      };
      const abort = (): void => giveUp(signal?.reason as Error);
      const waiter: RoomWaiter<NativeBlock> = {
        bytes,
        peer,
        small: bytes <= SMALL_BLOCK_BYTES,
        order: this.#queue.nextOrder(),
        give: (given) => {
          leave();
          resolve(given);
        },
      };
      const full = (): void => {
        const isOwnShare = this.#isKeptOut(waiter);
        if (isOwnShare) this.#shareRefusals += 1;
        else this.#refusals.refused(bytes);
        giveUp(new ArenaFullError(bytes, deadlineMs, isOwnShare));
      };
      const timer = setTimeout(full, Math.min(deadlineMs, MAX_TIMER_MS));
      signal?.addEventListener('abort', abort);
      this.#queue.add(waiter);
      // There may be memory for it although others wait, because peers beyond their share are skipped.
      this.#serve();
    });
  }

  isCrowding(peer: object | undefined): boolean {
    return this.#largeShares.isBeyond(peer) && this.#queue.size > 0 && !this.#queue.isAlone(peer);
  }

  stats(): ArenaStats {
    return {
      totalBytes: this.totalBytes + this.#reserveBytes,
      usedBytes: this.#usedBytes,
      blocks: this.#blocks,
      waiters: this.#queue.size,
      waitingBytes: this.#queue.bytes,
    };
  }

  pressure(): ArenaPressure {
    const free = this.#reserve.reduce((sum, { space }) => sum + space.free, 0);
    return {
      refusals: this.#refusals.count,
      shareRefusals: this.#shareRefusals,
      refusingForMs: this.#refusals.forMs,
      reserveFreeBytes: free * GRANULE_BYTES,
    };
  }

  /** Takes the memory of a block back when its last user has released it. */
  #reclaim({ space, bytes }: Region, { record, share }: Tenancy, length: number): void {
    const start = space.startOf(record) * GRANULE_BYTES;
    const size = space.sizeOf(record) * GRANULE_BYTES;
    if (this.#debug) bytes.fill(POISON, start, start + size);
    const run = space.release(record) * GRANULE_BYTES;
    this.#usedBytes -= size;
    this.#blocks--;
    if (share !== undefined) share.bytes -= length;
    if (this.#queue.size > 0) this.#serve();
    if (this.#queue.size === 0) this.#refusals.hasRoom(run);
  }

  /** Serves waiters as long as there is memory for the next one. */
  #serve(): void {
    while (this.#queue.size > 0) {
      const next = this.#nextFromReserve() ?? this.#nextFromRegions();
      if (next === undefined) return;
      next.waiter.give(next.block);
    }
  }

  #nextFromReserve() {
    const waiter = this.#queue.firstSmall(this.#isWithinReserveShare);
    const block = waiter && this.#fromReserve(waiter.bytes, waiter.peer);
    return waiter && block && { waiter, block };
  }

  /** Outside the reserve the older waiter is first, so that small and large ones cannot starve each other. */
  #nextFromRegions() {
    const small = this.#queue.firstSmall();
    const large = this.#queue.firstLarge(this.#isWithinLargeShare);
    const isSmallFirst = small !== undefined && (large === undefined || small.order < large.order);
    const waiter = isSmallFirst ? small : large;
    const block = waiter && this.#fromRegions(waiter.bytes, waiter.peer);
    return waiter && block && { waiter, block };
  }

  readonly #isWithinReserveShare = ({ bytes, peer }: RoomWaiter<NativeBlock>): boolean =>
    !this.#reserveShares.wouldExceed(this.#reserveShares.of(peer), bytes);

  readonly #isWithinLargeShare = ({ bytes, peer }: RoomWaiter<NativeBlock>): boolean =>
    !this.#largeShares.wouldExceed(this.#largeShares.of(peer), bytes);

  /** Whether a waiter is skipped because its peer holds its share, and others wait. */
  #isKeptOut(waiter: RoomWaiter<NativeBlock>): boolean {
    return !waiter.small && !this.#isWithinLargeShare(waiter) && !this.#queue.isAlone(waiter.peer);
  }

  #fromReserve(bytes: number, peer: object | undefined): NativeBlock | undefined {
    if (bytes > SMALL_BLOCK_BYTES || this.#reserve.length === 0) return undefined;
    const share = this.#reserveShares.of(peer);
    if (this.#reserveShares.wouldExceed(share, bytes)) return undefined;
    return this.#take(this.#reserve, bytes, share);
  }

  /** A small block outside the reserve counts against no peer. */
  #fromRegions(bytes: number, peer: object | undefined): NativeBlock | undefined {
    const share = bytes > SMALL_BLOCK_BYTES ? this.#largeShares.of(peer) : undefined;
    return this.#take(this.#regions, bytes, share);
  }

  #take(
    regions: readonly Region[],
    bytes: number,
    share: Share | undefined,
  ): NativeBlock | undefined {
    const granules = Math.ceil(bytes / GRANULE_BYTES);
    for (const region of regions) {
      const record = region.space.allocate(granules);
      if (record < 0) continue;
      this.#usedBytes += granules * GRANULE_BYTES;
      this.#blocks++;
      if (share !== undefined) share.bytes += bytes;
      this.#refusals.granted(bytes);
      return blockOf(region, { record, share }, bytes);
    }
    return undefined;
  }
}

function checkSize(bytes: number): void {
  if (!Number.isSafeInteger(bytes) || bytes < 1) {
    throw new RangeError(`a block of ${bytes} bytes: must be a whole number of at least 1`);
  }
}
