import { MMC_ERROR, MMC_INVALID_PARAM, MMC_OK, UNTRUSTED_READ } from '../errors/engine-codes.ts';
import { MmcError, UntrustedReadError } from '../native/abi/errors.ts';
import type { Block, PutOptions } from '../native/abi/types.ts';
import type { RegisteredBuffers } from '../native/arena/registered-buffers.ts';
import { isStorable } from '../native/calls/key-bytes.ts';
import type { Scheduler } from '../scheduler/scheduler.ts';
import { moveBatch } from './store-batches.ts';
import { type Bytes, copyIn, copyOut, transferOf, withBlocks } from './transfer.ts';

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
  { scheduler, registered, waitMs, operation }: StoreSession,
  key: string,
  pieces: readonly Bytes[],
  options: PutOptions,
): Promise<number> {
  checkKey(key, operation);
  const transfer = transferOf(pieces, registered);
  checkNotEmpty(transfer.length, operation);
  return withBlocks([transfer], scheduler.arena, waitMs, async (blocks) => {
    const block = blocks[0] as Block;
    copyIn(transfer, block);
    return scheduler.single.put(key, block, transfer.length, options);
  });
}

/** Removes an object, if there is one, and puts the pieces in its place; returns the codes of both. */
export async function replaceObject(
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

/** The object's bytes as a copy, or the engine's code for why there are none. */
export async function readWhole(session: StoreSession, key: string): Promise<Buffer | number> {
  checkKey(key, session.operation);
  const { single } = session.scheduler;
  let { code, info } = await single.query(key);
  while (code === MMC_OK) {
    const { size } = info;
    const target = Buffer.allocUnsafeSlow(size);
    code = await readObject(session, key, [target]);
    if (code === MMC_OK) return target;
    if (code !== MMC_ERROR) return code;
    // Removed, or replaced by one of another length, between query and get (docs/engine-facts.md §4).
    ({ code, info } = await single.query(key));
    if (code === MMC_OK && info.size === size) return MMC_ERROR;
  }
  return code;
}

/** Reads one object into the pieces; returns the engine's code. */
export async function readObject(
  { scheduler, registered, waitMs, operation }: StoreSession,
  key: string,
  pieces: readonly Bytes[],
): Promise<number> {
  checkKey(key, operation);
  const transfer = transferOf(pieces, registered);
  checkNotEmpty(transfer.length, operation);
  return withBlocks([transfer], scheduler.arena, waitMs, async (blocks) => {
    const block = blocks[0] as Block;
    const code = await scheduler.single.get(key, block);
    if (code === MMC_OK) copyOut(transfer, block);
    return code;
  });
}

export async function putObjects(
  { scheduler, registered, waitMs }: StoreSession,
  keys: readonly string[],
  objects: readonly (readonly Bytes[])[],
  options: PutOptions,
): Promise<number[]> {
  const transfers = objects.map((pieces) => transferOf(pieces, registered));
  const memory = { arena: scheduler.arena, waitMs };
  return moveBatch(keys, transfers, memory, async (part, blocks, moved) => {
    moved.forEach((transfer, index) => {
      copyIn(transfer, blocks[index] as Block);
    });
    return scheduler.batches.of().put(part, blocks, options);
  });
}

export async function readObjects(
  { scheduler, registered, waitMs }: StoreSession,
  keys: readonly string[],
  objects: readonly (readonly Bytes[])[],
): Promise<number[]> {
  const transfers = objects.map((pieces) => transferOf(pieces, registered));
  const memory = { arena: scheduler.arena, waitMs };
  return moveBatch(keys, transfers, memory, async (part, blocks, moved) => {
    const results = await scheduler.batches.of().get(part, blocks);
    moved.forEach((transfer, index) => {
      if (results[index] === MMC_OK) copyOut(transfer, blocks[index] as Block);
    });
    return results;
  });
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
