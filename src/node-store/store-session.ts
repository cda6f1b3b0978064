import {
  MMC_DUPLICATED_OBJECT,
  MMC_ERROR,
  MMC_INVALID_PARAM,
  MMC_OK,
  UNTRUSTED_READ,
} from '../errors/engine-codes.ts';
import { MmcError, UntrustedReadError } from '../native/abi/errors.ts';
import type { Block, PutOptions } from '../native/abi/types.ts';
import type { RegisteredBuffers } from '../native/arena/registered-buffers.ts';
import { isStorable } from '../native/calls/key-bytes.ts';
import type { Scheduler } from '../scheduler/scheduler.ts';
import type { IfExists, PutOutcome } from './arguments.ts';
import { type BatchCall, moveBatch, type OnFailure } from './store-batches.ts';
import { type Bytes, copyIn, copyOut, type Transfer, transferOf, withBlocks } from './transfer.ts';

/** One operation of an open store, with everything that it needs to move bytes. */
export interface StoreSession {
  readonly scheduler: Scheduler;
  readonly registered: RegisteredBuffers;
  /** Limit of the wait for memory in the arena. */
  readonly waitMs: number;
  readonly operation: string;
}

/** Puts the pieces as one object, in sequence; returns the engine's code. */
export async function putObject(
  session: StoreSession,
  key: string,
  pieces: readonly Bytes[],
  options: PutOptions,
): Promise<number> {
  return withBlock(session, key, pieces, (transfer, block) => {
    copyIn(transfer, block);
    return session.scheduler.single.put(key, block, transfer.length, options);
  });
}

/** Removes an object, if there is one, and puts the pieces in its place; returns the codes of both. */
async function replaceObject(
  { scheduler, registered, waitMs }: StoreSession,
  key: string,
  pieces: readonly Bytes[],
  options: PutOptions,
): Promise<{ removed: number; stored: number | undefined }> {
  const transfer = transferOf(pieces, registered);
  return withBlocks([transfer], scheduler.arena, waitMs, async (blocks) => {
    copyIn(transfer, blocks[0] as Block);
    const { removed, stored } = await scheduler.batches.of().replace([key], blocks, options);
    return { removed: removed[0] as number, stored: stored[0] };
  });
}

/**
 * The engine returns −1 for a missing object, for one of another length, and for a failed copy
 * (docs/engine-facts.md §4). Other writers may cause the first two between query and get, so the read is
 * repeated, but not without end.
 */
const MAX_READS = 4;

/** The object's bytes as a copy, or the engine's code for why there are none. */
export async function readWhole(session: StoreSession, key: string): Promise<Buffer | number> {
  checkKey(key, session.operation);
  for (let tried = 0; tried < MAX_READS; tried += 1) {
    const { code: queried, info } = await session.scheduler.single.query(key);
    if (queried !== MMC_OK) return queried;
    const target = Buffer.allocUnsafeSlow(info.size);
    const code = await readObject(session, key, [target]);
    if (code === MMC_OK) return target;
    if (code !== MMC_ERROR) return code;
  }
  return MMC_ERROR;
}

/**
 * Reads an object of the target's length; returns the engine's code, which is MMC_UNMATCHED_KEY for a
 * missing object and MMC_ERROR for one of another length.
 */
export async function readInto(session: StoreSession, key: string, target: Bytes): Promise<number> {
  for (let tried = 0; tried < MAX_READS; tried += 1) {
    const code = await readObject(session, key, [target]);
    if (code !== MMC_ERROR) return code;
    const { code: queried, info } = await session.scheduler.single.query(key);
    if (queried !== MMC_OK) return queried;
    if (info.size !== target.length) return MMC_ERROR;
  }
  return MMC_ERROR;
}

/** Reads one object into the pieces; returns the engine's code. */
export async function readObject(
  session: StoreSession,
  key: string,
  pieces: readonly Bytes[],
): Promise<number> {
  return withBlock(session, key, pieces, async (transfer, block) => {
    const code = await session.scheduler.single.get(key, block);
    if (code === MMC_OK) copyOut(transfer, block);
    return code;
  });
}

/** Runs the engine call of one object with memory for its pieces. */
async function withBlock(
  { scheduler, registered, waitMs, operation }: StoreSession,
  key: string,
  pieces: readonly Bytes[],
  call: (transfer: Transfer, block: Block) => Promise<number>,
): Promise<number> {
  checkKey(key, operation);
  const transfer = transferOf(pieces, registered);
  checkNotEmpty(transfer.length, operation);
  return withBlocks([transfer], scheduler.arena, waitMs, (blocks) =>
    call(transfer, blocks[0] as Block),
  );
}

/** Another writer may store the key again between the remove and the put. */
const MAX_REPLACEMENTS = 3;

/**
 * What a put did for which the engine returned `code`; replaces an object that is in its way, if it may.
 * @throws MmcError for any other code.
 */
export async function settlePut(
  session: StoreSession,
  key: string,
  pieces: readonly Bytes[],
  put: { readonly placement: PutOptions; readonly ifExists: IfExists; readonly code: number },
): Promise<PutOutcome> {
  let { code } = put;
  if (code === MMC_OK) return 'created';
  // The engine seeks room before it looks for the key (docs/engine-facts.md §4).
  if (code === MMC_ERROR && (await session.scheduler.single.exist(key)) === MMC_OK) {
    code = MMC_DUPLICATED_OBJECT;
  }
  if (code === MMC_DUPLICATED_OBJECT && put.ifExists === 'keep') return 'kept';
  let replaced = false;
  for (let tried = 0; tried < MAX_REPLACEMENTS; tried += 1) {
    if (code !== MMC_DUPLICATED_OBJECT || put.ifExists !== 'replace') break;
    const { removed, stored } = await replaceObject(session, key, pieces, put.placement);
    replaced ||= removed === MMC_OK;
    code = stored ?? removed;
    if (code === MMC_OK) return replaced ? 'replaced' : 'created';
  }
  throw failure(code, session.operation);
}

export async function putObjects<Failure>(
  { scheduler, registered, waitMs }: StoreSession,
  keys: readonly string[],
  objects: readonly (readonly Bytes[])[],
  options: PutOptions,
  onFailure: OnFailure<Failure>,
): Promise<(number | Failure)[]> {
  const transfers = objects.map((pieces) => transferOf(pieces, registered));
  const memory = { arena: scheduler.arena, waitMs };
  const call: BatchCall = (part, blocks, moved) => {
    moved.forEach((transfer, index) => {
      copyIn(transfer, blocks[index] as Block);
    });
    return scheduler.batches.of().put(part, blocks, options);
  };
  return moveBatch(keys, transfers, memory, call, onFailure);
}

export async function readObjects<Failure>(
  { scheduler, registered, waitMs }: StoreSession,
  keys: readonly string[],
  objects: readonly (readonly Bytes[])[],
  onFailure: OnFailure<Failure>,
): Promise<(number | Failure)[]> {
  const transfers = objects.map((pieces) => transferOf(pieces, registered));
  const memory = { arena: scheduler.arena, waitMs };
  const call: BatchCall = async (part, blocks, moved) => {
    const results = await scheduler.batches.of().get(part, blocks);
    moved.forEach((transfer, index) => {
      if (results[index] === MMC_OK) copyOut(transfer, blocks[index] as Block);
    });
    return results;
  };
  return moveBatch(keys, transfers, memory, call, onFailure);
}

export function checkKey(key: string, operation: string): void {
  if (isStorable(key)) return;
  const detail = 'a key has 1 to 255 bytes of UTF-8, no NUL and no half surrogate pair';
  throw new MmcError(MMC_INVALID_PARAM, operation, detail);
}

/** The engine accepts an empty object and then loses space for good (docs/engine-facts.md §4). */
function checkNotEmpty(length: number, operation: string): void {
  if (length > 0) return;
  throw new MmcError(MMC_INVALID_PARAM, operation, 'an object has at least one byte');
}

/** The only place that turns a code into an error. */
export function check(code: number, operation: string): void {
  if (code !== MMC_OK) throw failure(code, operation);
}

export function failure(code: number, operation: string): Error {
  return code === UNTRUSTED_READ
    ? new UntrustedReadError(operation)
    : new MmcError(code, operation);
}
