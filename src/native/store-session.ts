import type { Client } from './client.ts';
import { MMC_INVALID_PARAM, MMC_OK, UNTRUSTED_READ } from './codes.ts';
import { MmcError, UntrustedReadError } from './errors.ts';
import { isStorable } from './key-bytes.ts';
import type { NativeBlock } from './native-block.ts';
import type { RegisteredBuffers } from './registered-buffers.ts';
import { type ReplicateConfig, toPutOptions } from './replicate-config.ts';
import { moveBatch } from './store-batches.ts';
import { type Bytes, copyIn, copyOut, transferOf, withBlocks } from './transfer.ts';

/** One operation of an open store, with what it needs to move bytes. */
export interface StoreSession {
  readonly client: Client;
  readonly registered: RegisteredBuffers;
  /** For room in the arena. */
  readonly waitMs: number;
  readonly operation: string;
}

/** Puts the pieces, one after another, as one object. */
export async function putObject(
  { client, registered, waitMs, operation }: StoreSession,
  key: string,
  pieces: readonly Bytes[],
  config: Partial<ReplicateConfig>,
): Promise<void> {
  checkKey(key, operation);
  const options = toPutOptions(config, operation);
  const transfer = transferOf(pieces, registered);
  checkNotEmpty(transfer.length, operation);
  const code = await withBlocks([transfer], client.arena, waitMs, async (blocks) => {
    const block = blocks[0] as NativeBlock;
    copyIn(transfer, block);
    return client.put(key, block, transfer.length, options);
  });
  check(code, operation);
}

/** Reads one object into the pieces; returns the engine's code. */
export async function readObject(
  { client, registered, waitMs, operation }: StoreSession,
  key: string,
  pieces: readonly Bytes[],
): Promise<number> {
  checkKey(key, operation);
  const transfer = transferOf(pieces, registered);
  checkNotEmpty(transfer.length, operation);
  return withBlocks([transfer], client.arena, waitMs, async (blocks) => {
    const block = blocks[0] as NativeBlock;
    const { code } = await client.get(key, block, transfer.length);
    if (code === MMC_OK) copyOut(transfer, block);
    return code;
  });
}

export async function putObjects(
  { client, registered, waitMs, operation }: StoreSession,
  keys: readonly string[],
  objects: readonly (readonly Bytes[])[],
  config: Partial<ReplicateConfig>,
): Promise<number[]> {
  const options = toPutOptions(config, operation);
  const transfers = objects.map((pieces) => transferOf(pieces, registered));
  const memory = { arena: client.arena, waitMs };
  return moveBatch(keys, transfers, memory, async (part, blocks, moved) => {
    moved.forEach((transfer, index) => {
      copyIn(transfer, blocks[index] as NativeBlock);
    });
    return (await client.batchPut(part, blocks, options)).results;
  });
}

export async function readObjects(
  { client, registered, waitMs }: StoreSession,
  keys: readonly string[],
  objects: readonly (readonly Bytes[])[],
): Promise<number[]> {
  const transfers = objects.map((pieces) => transferOf(pieces, registered));
  const memory = { arena: client.arena, waitMs };
  return moveBatch(keys, transfers, memory, async (part, blocks, moved) => {
    const { results } = await client.batchGet(part, blocks);
    moved.forEach((transfer, index) => {
      if (results[index] === MMC_OK) copyOut(transfer, blocks[index] as NativeBlock);
    });
    return results;
  });
}

export function checkKey(key: string, operation: string): void {
  if (isStorable(key)) return;
  const detail = 'a key has 1 to 255 bytes of UTF-8, no NUL and no half surrogate pair';
  throw new MmcError(MMC_INVALID_PARAM, operation, detail);
}

/** The engine takes an empty object, and then loses space for good (engine.md §2). */
function checkNotEmpty(length: number, operation: string): void {
  if (length > 0) return;
  throw new MmcError(MMC_INVALID_PARAM, operation, 'an object has at least one byte');
}

/** The one place where a code becomes an error. */
export function check(code: number, operation: string): void {
  if (code !== MMC_OK) throw failure(code, operation);
}

export function failure(code: number, operation: string): Error {
  return code === UNTRUSTED_READ
    ? new UntrustedReadError(operation)
    : new MmcError(code, operation);
}
