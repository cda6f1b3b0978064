/**
 * Finds the size of the engine's `mmc_data_info`: 64 bytes up to version 1.1, 128 from 1.2 on. No
 * symbol gives the version. With the wrong size, infos of a batch would be read from the bytes of
 * their neighbours, and the engine would write beyond the array.
 */
import { randomFillSync, randomInt, randomUUID } from 'node:crypto';
import { MMC_OK } from '../../errors/engine-codes.ts';
import { EngineLoadError, MmcError } from '../abi/errors.ts';
import type { MemoryArena } from '../arena/arena.ts';
import { INFO_LAYOUTS, type InfoBytes } from '../calls/call-arguments.ts';
import { callNative } from '../calls/call-native.ts';
import type { CallMemory, EngineContext } from '../calls/engine-context.ts';
import type { NativeCalls } from '../calls/native-calls.ts';

/** Enough for three items of any plausible layout. */
const TRIAL_BYTES = 4096;
/**
 * The size of the object. It is larger than any service id (a pool has at most 1,024), smaller than any
 * address, and random. So this number is in the infos only where the engine writes the size.
 */
const MIN_SIZE = 1025;
const MAX_SIZE = 2047;
const VALID_OFFSET = 11;

/** The memory before and after a batch query of [own key, absent key, own key]. */
interface Trial {
  readonly before: Buffer;
  readonly after: Buffer;
}

/**
 * Stores an object, queries [own key, absent key, own key] twice, and removes the object. Call it
 * before requests are served: it uses `memory`, the argument memory of `calls`, and a block of the arena.
 *
 * @throws EngineLoadError if no known layout matches; MmcError if a call failed.
 */
export async function findInfoBytes(
  context: EngineContext,
  calls: NativeCalls,
  memory: CallMemory,
  arena: MemoryArena,
): Promise<InfoBytes> {
  const key = `mcg-layout-${process.pid}-${randomUUID()}`;
  const size = randomInt(MIN_SIZE, MAX_SIZE + 1);
  await putObject(calls, arena, key, size);
  const trials: Trial[] = [];
  try {
    // Every byte of the second pattern differs from the first. So a byte that is unchanged in both trials
    // was not written.
    const pattern = randomFillSync(Buffer.alloc(TRIAL_BYTES));
    trials.push(await queryInto(context, memory, key, pattern));
    const inverse = Buffer.from(pattern.map((byte) => ~byte));
    trials.push(await queryInto(context, memory, key, inverse));
  } finally {
    await calls.remove([key]);
  }
  return infoBytesOf(trials, size);
}

async function putObject(
  calls: NativeCalls,
  arena: MemoryArena,
  key: string,
  size: number,
): Promise<void> {
  const block = arena.tryAllocate(size);
  if (block === undefined) throw new Error('the arena is in use before the engine is open');
  try {
    const [code] = await calls.put([key], [block], { replicas: 1, prefer: [] });
    if (code !== MMC_OK) throw new MmcError(code as number, 'put');
  } finally {
    block.release();
  }
}

async function queryInto(
  context: EngineContext,
  { args }: CallMemory,
  key: string,
  before: Buffer,
): Promise<Trial> {
  const keys = [key, `${key}-absent`, key];
  args.setKeys(keys);
  before.copy(args.infoMemory(before.length));
  const { mmcc_batch_query } = context.functions;
  const code = await callNative(mmcc_batch_query, [args.pointers, keys.length, args.structs, 0]);
  if (code !== MMC_OK) throw new MmcError(code, 'batch_query');
  return { before, after: Buffer.from(args.infoMemory(before.length)) };
}

/**
 * The layout that matches everything that the engine wrote.
 * @throws EngineLoadError if there is none.
 */
export function infoBytesOf(trials: readonly Trial[], size: number): InfoBytes {
  const written = Math.max(...trials.map(writtenBytes));
  const found = INFO_LAYOUTS.find(
    (bytes) => written <= 3 * bytes && trials.every((trial) => isLaidOut(trial, bytes, size)),
  );
  if (found !== undefined) return found;
  const places = trials.map(({ after }) => placesOf(after, size).join(', ') || 'nowhere');
  throw new EngineLoadError(
    [
      'The layout of mmc_data_info in this engine is unknown. A batch query of three keys, of which the',
      `second is absent, wrote within the first ${written} bytes, with the size of the object (${size})`,
      `at byte ${[...new Set(places)].join('; then at ')}.`,
    ].join('\n'),
    [
      'This gateway knows items of 64 bytes (MemCache Hybrid 1.0.1 to 1.1) and of 128 bytes (1.2).',
      'Point GATEWAY_ENGINE (--engine) at a library of one of these versions, or use a gateway that',
      'knows the version of this library.',
    ].join('\n'),
  );
}

function isLaidOut({ before, after }: Trial, bytes: InfoBytes, size: number): boolean {
  const holds = (index: number): boolean =>
    after.readBigUInt64LE(index * bytes) === BigInt(size) &&
    after[index * bytes + VALID_OFFSET] === 1;
  const absentSize = after.readBigUInt64LE(bytes);
  const absent = absentSize === 0n || absentSize === before.readBigUInt64LE(bytes);
  return holds(0) && absent && after[bytes + VALID_OFFSET] === 0 && holds(2);
}

/** The number of bytes up to and including the last one that differs. */
function writtenBytes({ before, after }: Trial): number {
  for (let end = after.length; end > 0; end--) if (after[end - 1] !== before[end - 1]) return end;
  return 0;
}

function placesOf(bytes: Buffer, size: number): number[] {
  const places: number[] = [];
  for (let at = 0; at < bytes.length; at += 8) {
    if (bytes.readBigUInt64LE(at) === BigInt(size)) places.push(at);
  }
  return places;
}
