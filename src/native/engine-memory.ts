import type { Address } from './abi.ts';
import { MemoryArena } from './arena.ts';
import { ARGUMENT_BYTES, CallArguments } from './call-arguments.ts';
import { Canaries } from './canaries.ts';
import { codeName, MMC_OK } from './codes.ts';
import type { Slot } from './engine-context.ts';
import { EngineLoadError } from './errors.ts';
import { discardMemory, type MappedRegion, mapMemory } from './memory.ts';
import { MemorySlice, type NativeBlock, ownerless } from './native-block.ts';
import type { Opening } from './opening.ts';
import { PROBE_BYTES, type ProbeBlocks } from './self-test.ts';

const PAGE_BYTES = 4096;
/** The reserve for small blocks: a sixteenth of the arena, at most this much. */
const MAX_RESERVE_BYTES = 64 << 20;
/** More than there ever are (limits.ts). */
const PROBES_PER_PAGE = PAGE_BYTES / (2 * PROBE_BYTES);

export interface EngineMemory {
  readonly arena: MemoryArena;
  /** Beside the arena, so that no probe waits for room and the arena can be given out whole. */
  readonly probeBlocks: readonly ProbeBlocks[];
  /** Gives the pages back; the mapping stays, for views that may still exist. */
  readonly discard: () => void;
}

/** Bytes of the reserve beside an arena of so many bytes. */
const reserveBytesFor = (arenaBytes: number): number =>
  wholePages(Math.min(arenaBytes / 16, MAX_RESERVE_BYTES));

const wholePages = (bytes: number): number => Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;

/**
 * Maps the arena, the reserve behind it and a page for the probes, and registers all of it with the
 * engine at once. The reserve lies beside the arena, so that an object may be as large as the arena.
 * @throws EngineLoadError when the engine refuses the memory.
 */
export async function mapArena(
  options: { arenaBytes: number; smallReserve?: boolean; debugArena?: boolean },
  opening: Opening,
): Promise<EngineMemory> {
  const { arenaBytes } = options;
  const reserveBytes = options.smallReserve === true ? reserveBytesFor(arenaBytes) : 0;
  const reserveStart = wholePages(arenaBytes);
  // Whole pages, so that the last one lies within one region (regions end at multiples of 4 GiB).
  const totalBytes = reserveStart + reserveBytes + PAGE_BYTES;
  const memory = mapMemory(totalBytes, { hugePages: true });
  const { mmcc_register_buffer } = opening.library.functions;
  const region = [(memory[0] as MappedRegion).address, totalBytes] as const;
  const code = await opening.call('mmcc_register_buffer', mmcc_register_buffer, [...region]);
  if (code !== MMC_OK) {
    throw new EngineLoadError(
      `The engine refused to register the arena of ${arenaBytes} bytes: ${codeName(code)} (${code})`,
      'Make the arena smaller (--arena-bytes); the limit of locked memory (ulimit -l) may be too low.',
      { code },
    );
  }
  const debug = options.debugArena ?? process.env['GATEWAY_DEBUG_ARENA'] === '1';
  const arena = new MemoryArena(cutRegions(memory, 0, arenaBytes), {
    debug,
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

/** The bytes from `start` to before `end` of all regions together, none when they are equal. */
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
  return new MemorySlice(ownerless, {
    address: (region.address + start) as Address,
    memory: region.bytes,
    start,
    length: PROBE_BYTES,
  });
}

/** Argument memory for so many calls at a time. */
export function makeSlots(count: number): Slot[] {
  const [memory] = mapMemory(count * ARGUMENT_BYTES, { hugePages: false });
  return Array.from({ length: count }, (_, index) => ({
    args: new CallArguments(memory as MappedRegion, index * ARGUMENT_BYTES),
    canaries: new Canaries(),
  }));
}
