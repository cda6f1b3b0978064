import { MMC_ERROR } from '../errors/engine-codes.ts';
import { ProblemError } from '../errors/problems.ts';
import type { Arena, Block } from '../native/abi/types.ts';
import { type Caller, peerOf, waitForRoom } from '../scheduler/arena-room.ts';
import type { BatchCalls } from '../scheduler/batch-calls.ts';
import { partEnd } from '../scheduler/call-parts.ts';
import { queryKeys } from './ask-keys.ts';
import { emptyBlock } from './empty-block.ts';
import { problemOfCode, problemOfThrown } from './engine-problem.ts';
import { ItemProblems } from './item-problems.ts';
import { type FindRoom, readAgain, type Suspect } from './read-again.ts';

/** The objects of a read: how large each is, or why it cannot be read. */
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
  /** Undefined when it holds no object. The caller is its user. */
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
const MAX_WINDOW_BYTES = 16 << 20;

/**
 * Reads an object whole, as a batch of one. The engine reads an object only into a block of its exact
 * length (docs/engine-facts.md §4): `size` is that length if the engine has just returned it.
 */
export async function readObject(
  context: ReadContext,
  key: string,
  caller?: Caller,
  size?: number,
): Promise<Block> {
  const { engine } = context;
  const plan = size === undefined ? await planRead(engine, [key]) : planOf(engine.arena, key, size);
  const { block, replaced } = await readWindow(context, plan, 0, caller);
  const other = replaced.get(0);
  if (block !== undefined && other === undefined && plan.sizes[0] === block.length) return block;
  block?.release();
  const problem = plan.problems.get(0);
  if (problem !== undefined) throw problem;
  return other ?? emptyBlock;
}

function planOf(arena: Arena, key: string, size: number): ReadPlan {
  if (size > arena.maxBlockBytes) throw tooLarge(arena, size);
  return { keys: [key], sizes: Float64Array.of(size), problems: new Map() };
}

/** Queries the sizes of all objects. */
export async function planRead(engine: BatchCalls, keys: readonly string[]): Promise<ReadPlan> {
  const { arena } = engine;
  const sizes = new Float64Array(keys.length);
  const problems = new Map<number, ProblemError>();
  const itemProblems = new ItemProblems();
  // The plan keeps only the size: replicas would take many times the memory.
  const { stopped } = await queryKeys(engine, 'read', keys, (index, { size }, code) => {
    if (code !== 0) problems.set(index, problemOfCode('read', code));
    else if (size <= arena.maxBlockBytes) sizes[index] = size;
    else problems.set(index, itemProblems.share(tooLarge(arena, size)));
  });
  if (stopped !== undefined) {
    for (let i = stopped.from; i < keys.length; i++) problems.set(i, stopped.problem);
  }
  return { keys, sizes, problems };
}

const tooLarge = ({ maxBlockBytes }: Arena, size: number): ProblemError =>
  new ProblemError('object-too-large', {
    detail: `The object has ${size} bytes; the arena of this gateway holds at most ${maxBlockBytes} at once. Start it with a larger --arena-bytes.`,
  });

/**
 * Reads the objects from `from` on, as many as make a window: at least one, and beyond that no more
 * than 16 MiB nor an eighth of the arena. It waits for room in order of arrival, so the caller may hold
 * only blocks that are released without it. An object that cannot be read becomes a problem of the
 * plan. Rejects when the call itself failed, or there was no room in time.
 */
export async function readWindow(
  context: ReadContext,
  plan: ReadPlan,
  from: number,
  caller: Caller | undefined,
): Promise<ReadWindow> {
  const { arena } = context.engine;
  const { sizes } = plan;
  const bytesAt = (index: number) => sizes[index] as number;
  const to = partEnd(from, sizes.length, {
    maxBytes: Math.min(MAX_WINDOW_BYTES, arena.totalBytes / 8),
    bytesAt,
    skips: (index) => bytesAt(index) === 0,
  });
  let bytes = 0;
  for (let i = from; i < to; i++) bytes += sizes[i] as number;
  const window = { from, to, offsets: new Float64Array(to - from), replaced: new Map() };
  if (bytes === 0) return { ...window, block: undefined };
  const allocate = (size: number) =>
    arena.tryAllocate(size, peerOf(caller)) ??
    waitForRoom(arena, size, context.arenaWaitMs, caller);
  try {
    const items = cut(plan, window, await allocate(bytes));
    return { ...window, block: await fill(context.engine, plan, window, items, allocate) };
  } catch (error) {
    throw problemOfThrown('read', error);
  }
}

type Range = Omit<ReadWindow, 'block'>;

/** The objects of a window, and the part of its block for each. */
interface WindowItems {
  block: Block | undefined;
  readonly indexes: number[];
  readonly keys: string[];
  readonly slices: Block[];
}

function cut(plan: ReadPlan, { from, to, offsets }: Range, block: Block): WindowItems {
  const items: WindowItems = { block, indexes: [], keys: [], slices: [] };
  let at = 0;
  for (let i = from; i < to; i++) {
    const size = plan.sizes[i] as number;
    offsets[i - from] = at;
    if (size === 0) continue;
    items.indexes.push(i);
    items.keys.push(plan.keys[i] as string);
    items.slices.push(block.slice(at, size));
    at += size;
  }
  return items;
}

/** Reads the objects into their slices. Returns the block, undefined when nothing in it is used. */
async function fill(
  engine: BatchCalls,
  plan: ReadPlan,
  window: Range,
  items: WindowItems,
  allocate: (size: number) => Block | Promise<Block>,
): Promise<Block | undefined> {
  const { arena } = engine;
  try {
    const codes = await engine.get(items.keys, items.slices);
    const suspects = suspectsOf(plan, items, codes);
    if (suspects.length === 0) return items.block;
    const isAlone = plan.keys.length === 1;
    const findRoom: FindRoom = (size) => {
      if (size > arena.maxBlockBytes) return undefined;
      // A request that waits for room must hold none: two such requests would wait for each other.
      if (!isAlone) return arena.tryAllocate(size);
      release(items);
      return allocate(size);
    };
    for (const { index, problem, block } of await readAgain(engine, suspects, findRoom)) {
      if (problem !== undefined) giveUp(plan, index, problem);
      else if (block !== undefined) {
        plan.sizes[index] = block.length;
        if (block.length > 0) window.replaced.set(index, block);
      }
    }
    return items.block;
  } catch (error) {
    items.block?.release();
    throw error;
  } finally {
    for (const slice of items.slices) slice.release();
  }
}

function release(items: WindowItems): void {
  for (const slice of items.slices.splice(0)) slice.release();
  items.block?.release();
  items.block = undefined;
}

/** Gives up the objects that the engine refused with a reason, and returns those without one. */
function suspectsOf(
  plan: ReadPlan,
  { indexes, keys, slices }: WindowItems,
  codes: Int32Array,
): Suspect[] {
  const suspects: Suspect[] = [];
  for (let n = 0; n < keys.length; n++) {
    const code = codes[n] as number;
    if (code === 0) continue;
    const index = indexes[n] as number;
    if (code !== MMC_ERROR) giveUp(plan, index, problemOfCode('read', code));
    else suspects.push({ index, key: keys[n] as string, block: slices[n] as Block });
  }
  return suspects;
}

function giveUp(plan: ReadPlan, index: number, problem: ProblemError): void {
  plan.problems.set(index, problem);
  plan.sizes[index] = 0;
}
