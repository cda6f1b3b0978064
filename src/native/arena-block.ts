import type { Address } from './abi.ts';
import type { MappedRegion } from './memory.ts';
import type { NativeBlock } from './native-block.ts';
import type { Share } from './peer-shares.ts';
import { Tlsf } from './tlsf.ts';

/** Blocks start and end on cache lines. */
export const GRANULE_BYTES = 64;

export interface Region {
  readonly address: Address;
  readonly bytes: Buffer;
  readonly space: Tlsf;
}

export const regionOf = ({ address, bytes }: MappedRegion): Region => ({
  address,
  bytes,
  space: new Tlsf(Math.floor(bytes.length / GRANULE_BYTES)),
});

export const sizeOf = ({ space }: Region): number => space.granules * GRANULE_BYTES;

/** Takes back the memory of a block. */
interface Reclaimer {
  reclaim(region: Region, record: number, length: number, share: Share | undefined): void;
}

/** A block of a region, freed when its last user releases it. */
export class ArenaBlock implements NativeBlock {
  readonly length: number;
  readonly address: Address;
  readonly memory: Buffer;
  readonly start: number;
  readonly #arena: Reclaimer;
  readonly #region: Region;
  readonly #record: number;
  readonly #share: Share | undefined;
  #users = 1;
  #view: Buffer | undefined;

  constructor(
    arena: Reclaimer,
    region: Region,
    record: number,
    length: number,
    share: Share | undefined,
  ) {
    this.#arena = arena;
    this.#share = share;
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
    if (--this.#users === 0) {
      this.#arena.reclaim(this.#region, this.#record, this.length, this.#share);
    }
  }
}
