import { MMC_INVALID_PARAM, MMC_LEASE_EXPIRED, MMC_OK, UNTRUSTED_READ } from './codes.ts';
import type { EngineContext, Slot } from './engine-context.ts';
import type { NativeBlock } from './native-block.ts';
import { refuse, submit } from './slot-calls.ts';
import type { DataInfo, PutOptions } from './types.ts';

/** The batch forms of slot-calls.ts: one engine call for many keys. */
type Finish<Result> = (result: Result) => void;
type Fail = (error: Error) => void;

export interface BatchResult {
  code: number;
  results: Int32Array;
}

export interface BatchReadResult extends BatchResult {
  elapsedMs: number;
}

function invalidBatch(count: number): BatchReadResult {
  const results = new Int32Array(count).fill(MMC_INVALID_PARAM);
  return { code: MMC_INVALID_PARAM, results, elapsedMs: 0 };
}

/**
 * Reads all, then once more those whose lease expired, and those that the engine called read and that
 * cannot be trusted: items with a canary left in place, or every item when the call was slow. What is
 * doubtful twice has failed.
 */
export function batchGetOnSlot(
  context: EngineContext,
  slot: Slot,
  keys: readonly string[],
  blocks: readonly NativeBlock[],
  finish: Finish<BatchReadResult>,
  fail: Fail,
): void {
  slot.canaries.renew();
  readItems(
    context,
    slot,
    keys,
    blocks,
    0,
    (first) => {
      const doubtful = doubtfulItems(context, slot, blocks, first, 0);
      if (doubtful.length === 0) {
        finish(first);
        return;
      }
      const againKeys = doubtful.map((index) => keys[index] as string);
      const againBlocks = doubtful.map((index) => blocks[index] as NativeBlock);
      readItems(
        context,
        slot,
        againKeys,
        againBlocks,
        1,
        (second) => {
          for (const index of doubtfulItems(context, slot, againBlocks, second, 1)) {
            if (second.results[index] === MMC_OK) second.results[index] = UNTRUSTED_READ;
          }
          doubtful.forEach((index, position) => {
            first.results[index] = second.results[position] as number;
          });
          finish({ code: first.code, results: first.results, elapsedMs: second.elapsedMs });
        },
        fail,
      );
    },
    fail,
  );
}

function readItems(
  context: EngineContext,
  { args, canaries }: Slot,
  keys: readonly string[],
  blocks: readonly NativeBlock[],
  attempt: 0 | 1,
  done: Finish<BatchReadResult>,
  fail: Fail,
): void {
  const count = keys.length;
  if (!args.setKeys(keys)) {
    refuse(done, invalidBatch(count));
    return;
  }
  for (let i = 0; i < count; i++) {
    const block = blocks[i] as NativeBlock;
    args.setBuffer(i, block, block.length);
    canaries.plant(block.memory, block.start, block.length, attempt);
  }
  args.clearResults(count);
  submit(
    context,
    'batch_get',
    context.functions.mmcc_batch_get,
    [args.pointers, count, args.structs, 0, args.results],
    (code, elapsedMs) => {
      const results = args.itemCodes(count, code);
      const bytes = context.onCall === undefined ? 0 : movedBytes(blocks, results);
      done({ code, results, elapsedMs });
      return bytes;
    },
    fail,
  );
}

function doubtfulItems(
  { slowReadMs }: EngineContext,
  { canaries }: Slot,
  blocks: readonly NativeBlock[],
  read: BatchReadResult,
  attempt: 0 | 1,
): number[] {
  const slow = read.elapsedMs > slowReadMs;
  const doubtful: number[] = [];
  for (let i = 0; i < blocks.length; i++) {
    const code = read.results[i];
    if (code === MMC_LEASE_EXPIRED) doubtful.push(i);
    if (code !== MMC_OK) continue;
    const { memory, start, length } = blocks[i] as NativeBlock;
    if (slow || canaries.leftInPlace(memory, start, length, attempt)) doubtful.push(i);
  }
  return doubtful;
}

export function batchPutOnSlot(
  context: EngineContext,
  { args }: Slot,
  keys: readonly string[],
  blocks: readonly NativeBlock[],
  options: PutOptions,
  finish: Finish<BatchResult>,
  fail: Fail,
): void {
  const count = keys.length;
  if (!args.setKeys(keys) || !args.setOptions(options)) {
    refuse(finish, invalidBatch(count));
    return;
  }
  for (let i = 0; i < count; i++) {
    const block = blocks[i] as NativeBlock;
    args.setBuffer(i, block, block.length);
  }
  args.clearResults(count);
  submit(
    context,
    'batch_put',
    context.functions.mmcc_batch_put,
    [args.pointers, count, args.structs, args.options, 0, args.results],
    (code) => {
      const results = args.itemCodes(count, code);
      const bytes = context.onCall === undefined ? 0 : movedBytes(blocks, results);
      finish({ code, results });
      return bytes;
    },
    fail,
  );
}

export function batchKeysOnSlot(
  context: EngineContext,
  { args }: Slot,
  operation: 'exist' | 'remove',
  keys: readonly string[],
  finish: Finish<BatchResult>,
  fail: Fail,
): void {
  const count = keys.length;
  if (!args.setKeys(keys)) {
    refuse(finish, invalidBatch(count));
    return;
  }
  args.clearResults(count);
  const { mmcc_batch_exist, mmcc_batch_remove } = context.functions;
  submit(
    context,
    operation === 'exist' ? 'batch_exist' : 'batch_remove',
    operation === 'exist' ? mmcc_batch_exist : mmcc_batch_remove,
    [args.pointers, count, args.results, 0],
    (code) => {
      finish({ code, results: args.itemCodes(count, code) });
      return 0;
    },
    fail,
  );
}

export function batchQueryOnSlot(
  context: EngineContext,
  { args }: Slot,
  keys: readonly string[],
  finish: Finish<{ code: number; infos: DataInfo[] }>,
  fail: Fail,
): void {
  const count = keys.length;
  const infos = (): DataInfo[] => Array.from({ length: count }, (_, index) => args.info(index));
  if (!args.setKeys(keys)) {
    const none = { valid: false, size: 0, replicas: [] };
    refuse(finish, { code: MMC_INVALID_PARAM, infos: keys.map(() => none) });
    return;
  }
  args.clearInfos(count);
  submit(
    context,
    'batch_query',
    context.functions.mmcc_batch_query,
    [args.pointers, count, args.structs, 0],
    (code) => {
      finish({ code, infos: infos() });
      return 0;
    },
    fail,
  );
}

function movedBytes(blocks: readonly NativeBlock[], results: Int32Array): number {
  let bytes = 0;
  for (let i = 0; i < blocks.length; i++) {
    if (results[i] === MMC_OK) bytes += (blocks[i] as NativeBlock).length;
  }
  return bytes;
}
