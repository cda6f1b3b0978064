import { MAX_BATCH_KEYS } from './call-arguments.ts';
import { MMC_EXCEED_CAPACITY, MMC_INVALID_PARAM } from './codes.ts';
import { isStorable } from './key-bytes.ts';
import type { NativeBlock } from './native-block.ts';
import { partEnds, type Transfer, withBlocks } from './transfer.ts';
import type { Arena } from './types.ts';

/** One engine call of a batch: the code of each key. */
export type BatchCall = (
  keys: string[],
  blocks: NativeBlock[],
  transfers: Transfer[],
) => Promise<Int32Array>;

/**
 * Moves a batch of objects in as few engine calls as its keys and the arena allow, one after another.
 * Keys that cannot be stored, empty objects and those that no block can hold never reach the engine:
 * one such key would fail all, and an empty object poisons the pool (engine.md §2).
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
  let from = 0;
  for (const end of partEnds(queue, MAX_BATCH_KEYS, partBytes)) {
    const indexes = sendable.slice(from, end);
    const part = queue.slice(from, end);
    const partKeys = indexes.map((index) => keys[index] as string);
    const answers = await withBlocks(part, arena, waitMs, (blocks) => call(partKeys, blocks, part));
    indexes.forEach((index, position) => {
      codes[index] = answers[position] as number;
    });
    from = end;
  }
  return codes;
}

/** Asks about keys, as many at a time as the engine takes; `refused` stands for unstorable keys. */
export async function askBatch<Answer>(
  keys: readonly string[],
  refused: Answer,
  call: (keys: string[]) => Promise<ArrayLike<Answer>>,
): Promise<Answer[]> {
  const answers: Answer[] = keys.map(() => refused);
  const sendable = indexesOf(keys, isStorable);
  for (let from = 0; from < sendable.length; from += MAX_BATCH_KEYS) {
    const indexes = sendable.slice(from, from + MAX_BATCH_KEYS);
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
