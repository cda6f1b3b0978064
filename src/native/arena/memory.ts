import { type Address, lastErrno, libc } from '../../os/libc.ts';
import { viewMemory } from '../abi/abi.ts';

const PROT_READ_WRITE = 0x1 | 0x2;
const MAP_PRIVATE_ANONYMOUS_NORESERVE = 0x2 | 0x20 | 0x4000;
const MADV_DONTNEED = 4;
const MADV_HUGEPAGE = 14;
const MADV_NOHUGEPAGE = 15;
const HUGE_PAGE_BYTES = 2 * 1024 * 1024;

/** A view of more than 4 GiB aborts the process (docs/engine-facts.md §10). */
export const MAX_VIEW_BYTES = 2 ** 32;

/** Memory with an address: a part of the arena, or of the argument memory. */
export interface MappedRegion {
  readonly address: Address;
  readonly bytes: Buffer;
}

/**
 * Maps anonymous memory, aligned to huge pages; physical pages are allocated on first use. It is never
 * unmapped: a view may exist longer than its known owners, and reading it would end the process.
 */
export function mapMemory(bytes: number, options: { hugePages: boolean }): MappedRegion[] {
  const mapped = libc().mmap(
    0,
    bytes + HUGE_PAGE_BYTES,
    PROT_READ_WRITE,
    MAP_PRIVATE_ANONYMOUS_NORESERVE,
    -1,
    0,
  );
  if (typeof mapped === 'bigint') {
    throw new Error(`cannot map ${bytes} bytes of memory: errno ${lastErrno()}`);
  }
  const start = (Math.ceil(mapped / HUGE_PAGE_BYTES) * HUGE_PAGE_BYTES) as Address;
  // Only advice: a kernel without huge pages refuses it, which does no harm.
  libc().madvise(start, bytes, options.hugePages ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
  const regions: MappedRegion[] = [];
  for (let offset = 0; offset < bytes; offset += MAX_VIEW_BYTES) {
    const address = (start + offset) as Address;
    regions.push({ address, bytes: viewMemory(address, Math.min(MAX_VIEW_BYTES, bytes - offset)) });
  }
  return regions;
}

/** Releases the physical pages; the bytes read as zero from now on. */
export function discardMemory(regions: readonly MappedRegion[]): void {
  for (const { address, bytes } of regions) libc().madvise(address, bytes.length, MADV_DONTNEED);
}
