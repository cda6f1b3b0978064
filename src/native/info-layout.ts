/**
 * Finds out how large the engine's `mmc_data_info` is. It has 64 bytes up to version 1.1 and 128 from
 * 1.2 on, and no symbol tells the version. With the wrong size, infos of a batch would be read from the
 * bytes of their neighbours, and the engine would write beyond the array.
 */
import { randomFillSync, randomInt, randomUUID } from 'node:crypto';
import type { MemoryArena } from './arena.ts';
import { INFO_LAYOUTS, type InfoBytes } from './call-arguments.ts';
import type { CallSlots } from './call-slots.ts';
import { MMC_OK } from './codes.ts';
import type { EngineContext, Slot } from './engine-context.ts';
import { EngineLoadError, MmcError } from './errors.ts';
import { keyOnSlot, putOnSlot, submit } from './slot-calls.ts';

/** Enough for three items of any plausible layout. */
const TRIAL_BYTES = 4096;
/**
 * The object's size: no service id is as large (a pool has at most 1,024), no address is as small, and
 * it is random. So this number stands in the infos only where the engine writes the size.
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
 * before requests are served: it uses the slots and a block of the arena.
 *
 * @throws EngineLoadError when no known layout explains what the engine wrote; MmcError when a call
 * failed; EngineDeadlineError when one outlasted its deadline.
 */
export async function findInfoBytes(
  context: EngineContext,
  slots: CallSlots<Slot>,
  arena: MemoryArena,
): Promise<InfoBytes> {
  const key = `mcg-layout-${process.pid}-${randomUUID()}`;
  const size = randomInt(MIN_SIZE, MAX_SIZE + 1);
  await putObject(context, slots, arena, key, size);
  const trials: Trial[] = [];
  try {
    // Every byte of the second pattern differs from that of the first: what looks unwritten in both
    // trials has not been written.
    const pattern = randomFillSync(Buffer.alloc(TRIAL_BYTES));
    trials.push(await queryInto(context, slots, key, pattern));
    const inverse = Buffer.from(pattern.map((byte) => ~byte));
    trials.push(await queryInto(context, slots, key, inverse));
  } finally {
    await slots.run<number>('remove', (slot, finish, fail) => {
      keyOnSlot(context, slot, 'remove', key, finish, fail);
    });
  }
  return infoBytesOf(trials, size);
}

async function putObject(
  context: EngineContext,
  slots: CallSlots<Slot>,
  arena: MemoryArena,
  key: string,
  size: number,
): Promise<void> {
  const block = arena.tryAllocate(size);
  if (block === undefined) throw new Error('the arena is in use before the engine is open');
  const code = await slots.run<number>(
    'put',
    (slot, finish, fail) => {
      const options = { replicas: 1, prefer: [] };
      putOnSlot(context, slot, key, block, size, options, finish, fail);
    },
    () => block.release(),
  );
  if (code !== MMC_OK) throw new MmcError(code, 'put');
}

async function queryInto(
  context: EngineContext,
  slots: CallSlots<Slot>,
  key: string,
  before: Buffer,
): Promise<Trial> {
  const after = Buffer.alloc(before.length);
  const code = await slots.run<number>('batch_query', ({ args }, finish, fail) => {
    const keys = [key, `${key}-absent`, key];
    args.setKeys(keys);
    before.copy(args.infoMemory(before.length));
    submit(
      context,
      'batch_query',
      context.functions.mmcc_batch_query,
      [args.pointers, keys.length, args.structs, 0],
      (result) => {
        args.infoMemory(before.length).copy(after);
        finish(result);
        return 0;
      },
      fail,
    );
  });
  if (code !== MMC_OK) throw new MmcError(code, 'batch_query');
  return { before, after };
}

/**
 * The layout that explains all of what the engine wrote.
 * @throws EngineLoadError when there is none.
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

/** Up to and including the last byte that differs. */
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
