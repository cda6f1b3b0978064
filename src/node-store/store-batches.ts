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
 * Returns the outcome of the keys whose engine call was not possible, and of all keys after them, or
 * throws the error. `calls` is the number of the batch's engine calls before it, whose keys are done.
 */
export type OnFailure<Outcome> = (error: unknown, calls: number) => Outcome;

/**
 * Runs a batch in as few engine calls as its keys and the arena allow, one after another. Keys that
 * cannot be stored, empty objects and objects that fit no block never reach the engine: one such key
 * would fail all, and an empty object loses space of the pool (docs/engine-facts.md §4 and §6).
 */
export async function moveBatch<Failure>(
  keys: readonly string[],
  transfers: readonly Transfer[],
  memory: { arena: Arena; waitMs: number },
  call: BatchCall,
  onFailure: OnFailure<Failure>,
): Promise<(number | Failure)[]> {
  if (keys.length !== transfers.length) {
    throw new RangeError(`${keys.length} keys for ${transfers.length} objects`);
  }
  const { arena, waitMs } = memory;
  const outcomes: (number | Failure)[] = transfers.map(({ length, direct }) =>
    length > arena.maxBlockBytes && direct === undefined ? MMC_EXCEED_CAPACITY : MMC_INVALID_PARAM,
  );
  const sendable = indexesOf(
    keys,
    (key, index) =>
      isStorable(key) && lengthAt(transfers, index) > 0 && outcomes[index] === MMC_INVALID_PARAM,
  );
  const maxBytes = Math.min(arena.maxBlockBytes, Math.floor(arena.totalBytes / 4));
  const bytesAt = (at: number) => stagedBytes(transfers[sendable[at] as number] as Transfer);
  const endOf = (from: number) => partEnd(from, sendable.length, { maxBytes, bytesAt });
  const callPart = (indexes: readonly number[]) => {
    const part = indexes.map((index) => transfers[index] as Transfer);
    const partKeys = indexes.map((index) => keys[index] as string);
    return withBlocks(part, arena, waitMs, (blocks) => call(partKeys, blocks, part));
  };
  await inParts({ outcomes, sendable, endOf, callPart, onFailure });
  return outcomes;
}

/** Queries keys, as many in one call as the engine accepts; unstorable keys get `refused`. */
export async function askBatch<Answer, Failure>(
  keys: readonly string[],
  refused: Answer,
  call: (keys: string[]) => Promise<ArrayLike<Answer>>,
  onFailure: OnFailure<Failure>,
): Promise<(Answer | Failure)[]> {
  const outcomes: (Answer | Failure)[] = keys.map(() => refused);
  const sendable = indexesOf(keys, isStorable);
  const endOf = (from: number) => partEnd(from, sendable.length);
  const callPart = (indexes: readonly number[]) =>
    call(indexes.map((index) => keys[index] as string));
  await inParts({ outcomes, sendable, endOf, callPart, onFailure });
  return outcomes;
}

interface Parts<Answer, Failure> {
  /** Filled at the indexes in `sendable`. */
  readonly outcomes: (Answer | Failure)[];
  readonly sendable: readonly number[];
  /** The end of the part of `sendable` that begins at `from`. */
  readonly endOf: (from: number) => number;
  readonly callPart: (indexes: readonly number[]) => Promise<ArrayLike<Answer>>;
  readonly onFailure: OnFailure<Failure>;
}

async function inParts<Answer, Failure>(parts: Parts<Answer, Failure>): Promise<void> {
  const { outcomes, sendable, endOf, callPart, onFailure } = parts;
  for (let from = 0, end = 0, calls = 0; from < sendable.length; from = end, calls += 1) {
    end = endOf(from);
    const indexes = sendable.slice(from, end);
    try {
      const answers = await callPart(indexes);
      indexes.forEach((index, position) => {
        outcomes[index] = answers[position] as Answer;
      });
    } catch (error) {
      const outcome = onFailure(error, calls);
      for (const index of sendable.slice(from)) outcomes[index] = outcome;
      return;
    }
  }
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
