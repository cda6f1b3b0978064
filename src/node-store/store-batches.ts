import { MMC_EXCEED_CAPACITY, MMC_INVALID_PARAM } from '../errors/engine-codes.ts';
import type { Arena, Block } from '../native/abi/types.ts';
import { isStorable } from '../native/calls/key-bytes.ts';
import { partEnd } from '../scheduler/call-parts.ts';
import { stagedBytes, type Transfer, withBlocks } from './transfer.ts';

/** One engine call of a batch: the code of each key. */
export type BatchCall = (
  keys: string[],
  blocks: Block[],
  transfers: Transfer[],
) => Promise<Int32Array>;

/**
 * Runs a batch in as few engine calls as its keys and the arena allow, one after another. Keys that
 * cannot be stored, empty objects and objects that fit no block never reach the engine: one such key
 * would fail all, and an empty object loses space of the pool (docs/engine-facts.md §4 and §6).
 */
export async function moveBatch(
  keys: readonly string[],
  transfers: readonly Transfer[],
  memory: { arena: Arena; waitMs: number },
  call: BatchCall,
): Promise<number[]> {
  if (keys.length !== transfers.length) {
    throw new RangeError(`${keys.length} keys for ${transfers.length} objects`);
  }
  const { arena, waitMs } = memory;
  const codes: number[] = transfers.map(({ length, direct }) =>
    length > arena.maxBlockBytes && direct === undefined ? MMC_EXCEED_CAPACITY : MMC_INVALID_PARAM,
  );
  const sendable = indexesOf(
    keys,
    (key, index) =>
      isStorable(key) && lengthAt(transfers, index) > 0 && codes[index] === MMC_INVALID_PARAM,
  );
  const partBytes = Math.min(arena.maxBlockBytes, Math.floor(arena.totalBytes / 4));
  const queue = sendable.map((index) => transfers[index] as Transfer);
  const bytesAt = (index: number) => stagedBytes(queue[index] as Transfer);
  for (let from = 0, end = 0; from < queue.length; from = end) {
    end = partEnd(from, queue.length, { maxBytes: partBytes, bytesAt });
    const indexes = sendable.slice(from, end);
    const part = queue.slice(from, end);
    const partKeys = indexes.map((index) => keys[index] as string);
    const answers = await withBlocks(part, arena, waitMs, (blocks) => call(partKeys, blocks, part));
    indexes.forEach((index, position) => {
      codes[index] = answers[position] as number;
    });
  }
  return codes;
}

/** Queries keys, as many in one call as the engine accepts; unstorable keys get `refused`. */
export async function askBatch<Answer>(
  keys: readonly string[],
  refused: Answer,
  call: (keys: string[]) => Promise<ArrayLike<Answer>>,
): Promise<Answer[]> {
  const answers: Answer[] = keys.map(() => refused);
  const sendable = indexesOf(keys, isStorable);
  for (let from = 0, end = 0; from < sendable.length; from = end) {
    end = partEnd(from, sendable.length);
    const indexes = sendable.slice(from, end);
    const part = await call(indexes.map((index) => keys[index] as string));
    indexes.forEach((index, position) => {
      answers[index] = part[position] as Answer;
    });
  }
  return answers;
}

function indexesOf(
  keys: readonly string[],
  holds: (key: string, index: number) => boolean,
): number[] {
  const indexes: number[] = [];
  keys.forEach((key, index) => {
    if (holds(key, index)) indexes.push(index);
  });
  return indexes;
}

function lengthAt(transfers: readonly Transfer[], index: number): number {
  return transfers[index]?.length ?? 0;
}
