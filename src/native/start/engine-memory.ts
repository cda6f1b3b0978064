import { codeName, MMC_OK } from '../../errors/engine-codes.ts';
import type { Address } from '../../os/libc.ts';
import { EngineLoadError } from '../abi/errors.ts';
import { MemoryArena } from '../arena/arena.ts';
import { discardMemory, type MappedRegion, mapMemory } from '../arena/memory.ts';
import { type NativeBlock, permanentBlock } from '../arena/native-block.ts';
import { ARGUMENT_BYTES, CallArguments } from '../calls/call-arguments.ts';
import { Canaries } from '../calls/canaries.ts';
import type { CallMemory } from '../calls/engine-context.ts';
import type { EngineOptions } from '../engine-options.ts';
import type { Opening } from './opening.ts';
import { PROBE_BYTES, type ProbeBlocks } from './self-test.ts';

const PAGE_BYTES = 4096;
/** The reserve for small blocks: a sixteenth of the arena, at most this much. */
const MAX_RESERVE_BYTES = 64 << 20;
/** More than the possible number of probes (limits.ts). */
const PROBES_PER_PAGE = PAGE_BYTES / (2 * PROBE_BYTES);

export interface EngineMemory {
  readonly arena: MemoryArena;
  /** Outside the arena, so that a probe never waits for memory and the whole arena can be allocated. */
  readonly probeBlocks: readonly ProbeBlocks[];
  /** Releases the pages; the mapping stays, because views of it may still exist. */
  readonly discard: () => void;
}

/** Bytes of the reserve for an arena of `arenaBytes`. */
const reserveBytesFor = (arenaBytes: number): number =>
  wholePages(Math.min(arenaBytes / 16, MAX_RESERVE_BYTES));

const wholePages = (bytes: number): number => Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;

/**
 * Maps the arena, the reserve and a page for the probes, and registers them with the engine. The
 * reserve is added to the arena, so that an object may be as large as the arena.
 * @throws EngineLoadError if the engine refuses the memory.
 */
export async function mapArena(
  options: Pick<EngineOptions, 'arenaBytes' | 'peerBytes' | 'smallReserve' | 'debugArena'>,
  opening: Opening,
): Promise<EngineMemory> {
  const { arenaBytes } = options;
  const reserveBytes = options.smallReserve === true ? reserveBytesFor(arenaBytes) : 0;
  const reserveStart = wholePages(arenaBytes);
  // Whole pages, so that the last page is inside one region (regions end at multiples of 4 GiB).
  const totalBytes = reserveStart + reserveBytes + PAGE_BYTES;
  const memory = mapMemory(totalBytes, { hugePages: true });
  const { mmcc_register_buffer } = opening.library.functions;
  const region = [(memory[0] as MappedRegion).address, totalBytes] as const;
  const code = await opening.call('mmcc_register_buffer', mmcc_register_buffer, [...region]);
  if (code !== MMC_OK) {
    throw new EngineLoadError(
      `The engine refused to register the arena of ${arenaBytes} bytes: ${codeName(code)} (${code})`,
      'Reduce --arena-bytes, or increase the limit of locked memory (ulimit -l).',
      { errno: code },
    );
  }
  const debug = options.debugArena ?? process.env['GATEWAY_DEBUG_ARENA'] === '1';
  const arena = new MemoryArena(cutRegions(memory, 0, arenaBytes), {
    debug,
    peerBytes: options.peerBytes,
    reserve: cutRegions(memory, reserveStart, reserveStart + reserveBytes),
  });
  const last = memory.at(-1) as MappedRegion;
  return {
    arena,
    probeBlocks: Array.from({ length: PROBES_PER_PAGE }, (_, index) => ({
      written: probeBlock(last, 2 * index),
      read: probeBlock(last, 2 * index + 1),
    })),
    discard: () => {
      if (arena.stats().blocks === 0) discardMemory(memory);
    },
  };
}

/** The bytes from `start` to `end` of all regions together; none if they are equal. */
function cutRegions(memory: readonly MappedRegion[], start: number, end: number): MappedRegion[] {
  let offset = 0;
  return memory.flatMap(({ address, bytes }) => {
    const from = Math.max(0, start - offset);
    const to = Math.min(bytes.length, end - offset);
    offset += bytes.length;
    if (from >= to) return [];
    return [{ address: (address + from) as Address, bytes: bytes.subarray(from, to) }];
  });
}

function probeBlock(region: MappedRegion, index: number): NativeBlock {
  const start = region.bytes.length - PAGE_BYTES + index * PROBE_BYTES;
  return permanentBlock({
    address: (region.address + start) as Address,
    memory: region.bytes,
    start,
    length: PROBE_BYTES,
  });
}

/** Argument memory for this number of calls in flight. */
export function makeCallMemory(count: number): CallMemory[] {
  const [memory] = mapMemory(count * ARGUMENT_BYTES, { hugePages: false });
  return Array.from({ length: count }, (_, index) => ({
    args: new CallArguments(memory as MappedRegion, index * ARGUMENT_BYTES),
    canaries: new Canaries(),
  }));
}
