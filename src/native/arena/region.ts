import type { Address } from '../../os/libc.ts';
import type { MappedRegion } from './memory.ts';
import { type BlockOwner, NativeBlock } from './native-block.ts';
import type { Share } from './peer-shares.ts';
import { Tlsf } from './tlsf.ts';

/** Blocks start and end on cache lines. */
export const GRANULE_BYTES = 64;

/** What a region knows about one of its blocks. */
export interface Tenancy {
  /** The block's record in the region's space. */
  readonly record: number;
  /** The share of the peer that the block belongs to. */
  readonly share: Share | undefined;
}

/** Mapped memory that is allocated in blocks. */
export interface Region extends BlockOwner<Tenancy> {
  readonly address: Address;
  readonly bytes: Buffer;
  readonly space: Tlsf;
}

/** `reclaim` is called for each block that its last user has released. */
export function regionOf(
  { address, bytes }: MappedRegion,
  reclaim: (region: Region, tenancy: Tenancy, length: number) => void,
): Region {
  const region: Region = {
    address,
    bytes,
    space: new Tlsf(Math.floor(bytes.length / GRANULE_BYTES)),
    free: (tenancy, length) => reclaim(region, tenancy, length),
  };
  return region;
}

export const sizeOf = ({ space }: Region): number => space.granules * GRANULE_BYTES;

/** The block of `length` bytes whose record the space of the region has allocated. */
export function blockOf(region: Region, tenancy: Tenancy, length: number): NativeBlock<Tenancy> {
  const start = region.space.startOf(tenancy.record) * GRANULE_BYTES;
  const address = (region.address + start) as Address;
  return new NativeBlock(region, tenancy, { address, memory: region.bytes, start, length });
}
