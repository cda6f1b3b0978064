import { ProblemError } from '../errors.ts';
import { asNative, type MemorySlice, sliceBlock } from '../native/native-block.ts';
import type { Block } from '../native/types.ts';
import { type Caller, peerOf, waitForRoom } from './arena-room.ts';
import type { BatchCalls } from './batch-calls.ts';
import { MAX_CALL_KEYS, queryKeys } from './batch-keys.ts';
import { type Doubt, readAgain } from './batch-read-again.ts';
import { problemOfCode, problemOfThrown } from './engine-problem.ts';
import { ItemProblems } from './item-problems.ts';

/** The objects of a batch get: how large each is, or why it can't be had. */
export interface ReadPlan {
  readonly keys: readonly string[];
  /** Bytes; 0 where there is a problem, and for the empty objects of other clients. */
  readonly sizes: Float64Array;
  readonly problems: Map<number, ProblemError>;
}

/** Consecutive objects of a plan, read and lying one after the other in one block. */
export interface ReadWindow {
  /** The first item, and the one after the last. */
  readonly from: number;
  readonly to: number;
  /** Undefined when nothing was to be read. Its user is who called. */
  readonly block: Block | undefined;
  /** Where each item starts in the block; read together with the plan's sizes and problems. */
  readonly offsets: Float64Array;
  /** Objects that had another length than planned and were read again; the plan has their new size. */
  readonly replaced: Map<number, Block>;
}

export interface ReadContext {
  readonly engine: BatchCalls;
  readonly arenaWaitMs: number;
}

/** Large enough to make a call worth its round trip, small enough to stay in the processor's cache. */
const MOST_WINDOW_BYTES = 16 << 20;

/** Asks for the sizes of all, since the engine reads an object only into a block of its length. */
export async function planRead(engine: BatchCalls, keys: readonly string[]): Promise<ReadPlan> {
  const sizes = new Float64Array(keys.length);
  const problems = new Map<number, ProblemError>();
  const itemProblems = new ItemProblems();
  const { maxBlockBytes } = engine.arena;
  // Only the size is kept of each: what the engine says of replicas takes many times the memory.
  const { stopped } = await queryKeys(engine, 'read', keys, (index, { size }, code) => {
    if (code !== 0) problems.set(index, problemOfCode('read', code));
    else if (size > maxBlockBytes) problems.set(index, itemProblems.share(tooLarge(engine, size)));
    else sizes[index] = size;
  });
  if (stopped !== undefined) {
    for (let i = stopped.from; i < keys.length; i++) problems.set(i, stopped.problem);
  }
  return { keys, sizes, problems };
}

const tooLarge = ({ arena }: BatchCalls, size: number): ProblemError =>
  new ProblemError('object-too-large', {
    detail: `The object has ${size} bytes; the arena of this gateway holds at most ${arena.maxBlockBytes} at once. Start it with a larger --arena-bytes.`,
  });

/**
 * Reads the objects from `from` on, as many as make a window: at least one, and beyond that no more
 * than 16 MiB nor an eighth of the arena. It waits for room in order, so the caller may hold only
 * what leaves by itself. What can't be read becomes a problem of the plan; rejects when the call
 * itself failed, or there was no room in time.
 */
export async function readWindow(
  context: ReadContext,
  plan: ReadPlan,
  from: number,
  caller: Caller | undefined,
): Promise<ReadWindow> {
  const { engine, arenaWaitMs } = context;
  const { arena } = engine;
  const { to, bytes, wanted } = nextWindow(
    plan,
    from,
    Math.min(MOST_WINDOW_BYTES, arena.totalBytes / 8),
  );
  const offsets = new Float64Array(to - from);
  const replaced = new Map<number, Block>();
  if (bytes === 0) return { from, to, block: undefined, offsets, replaced };
  try {
    const block =
      arena.tryAllocate(bytes, peerOf(caller)) ??
      (await waitForRoom(arena, bytes, arenaWaitMs, caller));
    try {
      await fill(context, plan, { from, to, block, offsets, replaced }, wanted);
    } catch (error) {
      block.release();
      throw error;
    }
    return { from, to, block, offsets, replaced };
  } catch (error) {
    throw problemOfThrown('read', error);
  }
}

function nextWindow(plan: ReadPlan, from: number, most: number) {
  const { sizes } = plan;
  let to = from;
  let bytes = 0;
  let wanted = 0;
  for (; to < sizes.length && wanted < MAX_CALL_KEYS; to++) {
    const size = sizes[to] as number;
    if (size === 0) continue;
    if (bytes > 0 && bytes + size > most) break;
    bytes += size;
    wanted++;
  }
  return { to, bytes, wanted };
}

async function fill(
  context: ReadContext,
  plan: ReadPlan,
  window: ReadWindow & { block: Block },
  wanted: number,
): Promise<void> {
  const { from, to, offsets } = window;
  const keys = new Array<string>(wanted);
  const places = new Int32Array(wanted);
  const slices = new Array<MemorySlice>(wanted);
  const native = asNative(window.block);
  let at = 0;
  let count = 0;
  for (let i = from; i < to; i++) {
    const size = plan.sizes[i] as number;
    offsets[i - from] = at;
    if (size === 0) continue;
    keys[count] = plan.keys[i] as string;
    places[count] = i;
    slices[count++] = sliceBlock(native, at, size);
    at += size;
  }
  try {
    const { results } = await context.engine.batchGet(keys, slices);
    const doubts: Doubt[] = [];
    for (let n = 0; n < wanted; n++) {
      const code = results[n] as number;
      if (code === 0) continue;
      const index = places[n] as number;
      if (code === -1)
        doubts.push({ index, key: keys[n] as string, slice: slices[n] as MemorySlice });
      else giveUp(plan, index, problemOfCode('read', code));
    }
    if (doubts.length === 0) return;
    for (const { index, problem, block } of await readAgain(context.engine, doubts)) {
      if (problem !== undefined) giveUp(plan, index, problem);
      else if (block !== undefined) {
        window.replaced.set(index, block);
        plan.sizes[index] = block.length;
      }
    }
  } finally {
    for (const slice of slices) slice.release();
  }
}

function giveUp(plan: ReadPlan, index: number, problem: ProblemError): void {
  plan.problems.set(index, problem);
  plan.sizes[index] = 0;
}
