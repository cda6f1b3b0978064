import { ProblemError } from '../errors.ts';
import type { Arena, Block } from '../native/types.ts';
import { type Caller, peerOf, waitForRoom } from './arena-room.ts';
import { emptyBlock } from './empty-block.ts';
import type { EngineCalls } from './engine-calls.ts';
import { problemOfCode } from './engine-problem.ts';

export interface ReadContext {
  readonly calls: EngineCalls;
  readonly arena: Arena;
  readonly arenaWaitMs: number;
}

/** What has been asked already: the size, and what a get of so much answered, if it was made. */
export interface FirstTry {
  readonly size: number;
  readonly code?: number;
}

/**
 * Reads an object whole: the engine gives no part of one and wants its exact length (engine.md §2),
 * so the size is asked first. Its −1 is explained by asking again: gone, being written, another
 * length, or none of these; the last two are tried once more.
 */
export async function readObject(
  { calls, arena, arenaWaitMs }: ReadContext,
  key: string,
  caller?: Caller,
  known?: FirstTry,
): Promise<Block> {
  let size = known?.size ?? (await sizeOf(calls, key));
  let code = known?.code;
  for (let attempt = 1; ; attempt++) {
    if (size === 0) return emptyBlock;
    if (code === undefined) {
      const block = await blockFor(arena, size, arenaWaitMs, caller);
      try {
        code = await calls.get(key, block);
      } catch (error) {
        block.release();
        throw error;
      }
      if (code === 0) return block;
      block.release();
    }
    if (code !== -1) throw problemOfCode('read', code);
    const sizeNow = await sizeOf(calls, key);
    const changed = sizeNow !== size;
    if (!changed) await explainUnchanged(calls, key);
    if (attempt === 2) {
      throw changed
        ? problemOfCode('read', code, 'object-changed')
        : problemOfCode('read', code, 'read-not-trusted', UNREADABLE);
    }
    size = sizeNow;
    code = undefined;
  }
}

const UNREADABLE = 'The object is there, and the engine failed to read it, twice. Try again.';

export async function sizeOf(calls: EngineCalls, key: string): Promise<number> {
  const { code, info } = await calls.query(key);
  if (code !== 0) throw problemOfCode('read', code);
  if (!info.valid) throw problemOfCode('read', -3102);
  return info.size;
}

/** The length is as before: ask whether the object is readable at all. */
async function explainUnchanged(calls: EngineCalls, key: string): Promise<void> {
  const code = await calls.exist(key);
  if (code !== 0) throw problemOfCode('read', code);
}

async function blockFor(
  arena: Arena,
  size: number,
  arenaWaitMs: number,
  caller: Caller | undefined,
): Promise<Block> {
  if (size > arena.maxBlockBytes) {
    throw new ProblemError('object-too-large', {
      detail: `The object has ${size} bytes; the arena of this gateway holds at most ${arena.maxBlockBytes} at once. Start it with a larger --arena-bytes.`,
    });
  }
  return arena.tryAllocate(size, peerOf(caller)) ?? waitForRoom(arena, size, arenaWaitMs, caller);
}
