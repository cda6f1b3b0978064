import { randomUUID } from 'node:crypto';
import { ProblemError } from '../errors.ts';
import { codeName } from '../native/codes.ts';
import type { Block, PutOptions } from '../native/types.ts';
import { excessOf, type PoolBytes } from './admission.ts';
import type { EngineCalls } from './engine-calls.ts';
import { problemOfCode } from './engine-problem.ts';
import type { IfExists, WriteOutcome } from './object-store.ts';

const EXISTS = -3006;
const MISSING = -3102;
const BEING_WRITTEN = -3007;
const GENERAL_ERROR = -1;

/** What is put to see whether anything can be: no more than a page, so that it says nothing of size. */
export const TRIAL_BYTES = 4096;

/**
 * One for the process's life: what a trial whose remove failed leaves behind, the next one finds and
 * removes. Trials that meet disturb each other as little, since −3006 says that there was room.
 */
const trialKey = `memcache-gateway/placement/${randomUUID()}`;

export interface WriteContext {
  readonly calls: EngineCalls;
  /** For the put after a remove, which must not be left out for what others have taken. */
  readonly unbounded: EngineCalls;
  readonly poolBytes: PoolBytes | undefined;
}

export interface Write {
  readonly key: string;
  readonly block: Block;
  /** The first so many of the block. */
  readonly bytes: number;
  readonly options: PutOptions;
  readonly ifExists: IfExists;
}

/**
 * Stores a block; `replace` removes and puts again, which is not atomic: a reader may see neither.
 * What is there is not removed for something that cannot be put in its place. `firstCode` is what
 * the first put answered, where it has been made.
 */
export async function writeObject(
  context: WriteContext,
  write: Write,
  firstCode?: number,
): Promise<WriteOutcome> {
  const { calls } = context;
  const { key, ifExists } = write;
  let replaced = false;
  let code = firstCode ?? (await putOf(calls, write));
  // Another writer may slip in between the remove and the put; it is replaced too, but not for ever.
  for (let attempt = 1; ; attempt++) {
    // Room is sought before the key is looked up (engine.md §2): who gets −3006 would have had it.
    let hasRoom = true;
    if (code === GENERAL_ERROR) {
      hasRoom = !(await isThere(calls, key));
      code = hasRoom ? await putOrExplain(context, write) : EXISTS;
    }
    if (code === 0) return replaced ? 'replaced' : 'created';
    if (code !== EXISTS) throw problemOfCode('write', code);
    if (ifExists === 'keep') return 'kept';
    if (ifExists === 'fail' || attempt === 3) throw problemOfCode('write', EXISTS);
    if (!hasRoom) await requireReplaceable(context, write);
    const removed = await calls.remove(key);
    if (removed !== 0 && removed !== MISSING) throw problemOfCode('write', removed);
    replaced ||= removed === 0;
    code = await putOf(context.unbounded, write);
  }
}

const putOf = (calls: EngineCalls, { key, block, bytes, options }: Write): Promise<number> =>
  calls.put(key, block, bytes, options);

/**
 * Behind a put's −1 the object may exist or be being written; and an engine that has just lost its
 * meta service says so from the next call on.
 */
async function isThere(calls: EngineCalls, key: string): Promise<boolean> {
  const code = await calls.exist(key);
  if (code === 0 || code === BEING_WRITTEN) return true;
  if (code === MISSING) return false;
  throw problemOfCode('write', code);
}

/**
 * The engine's −1 says nothing (docs/decisions/0003-explaining-a-refused-put.md). A small object, put
 * with the same placement and then with none, tells what stands in the way: the placement, the room
 * for this size, or all room. Where the small one goes, an eviction that the first put set off may
 * have made room for this one, too, so it is put once more; its code, if that says anything, is
 * returned.
 */
async function putOrExplain(context: WriteContext, write: Write): Promise<number> {
  await requireAnyRoom(context, write);
  const code = await putOf(context.calls, write);
  if (code !== GENERAL_ERROR) return code;
  if (write.bytes > TRIAL_BYTES) throw problemOfCode('write', GENERAL_ERROR, 'no-room');
  throw problemOfCode('write', GENERAL_ERROR, 'engine-error', UNEXPLAINED);
}

const UNEXPLAINED =
  'The engine refused the object twice without saying why, and took another of its size in between.';

/** Throws when not even a small object could be placed so, or the pool is smaller than this one. */
async function requireAnyRoom(context: WriteContext, write: Write): Promise<void> {
  const { poolBytes } = context;
  const { bytes, options } = write;
  const excess = poolBytes && excessOf(bytes, options.replicas, poolBytes);
  if (excess !== undefined) {
    // Not `problemOfCode`, which keeps what it creates: this detail has the client's number in it.
    throw new ProblemError('pool-too-small', {
      code: GENERAL_ERROR,
      name: codeName(GENERAL_ERROR),
      detail: excess.detail,
    });
  }
  if (await canPutSmall(context, write, options)) return;
  const placed = options.replicas > 1 || options.prefer.length > 0;
  if (placed && (await canPutSmall(context, write, { replicas: 1, prefer: [] }))) {
    throw problemOfCode('write', GENERAL_ERROR, 'placement-impossible');
  }
  throw problemOfCode('write', GENERAL_ERROR, 'no-room');
}

/**
 * There was no room beside the object that is to be replaced. It is given up only for one that will
 * do with what this frees, or that fits the pool where its size is known.
 */
async function requireReplaceable(context: WriteContext, write: Write): Promise<void> {
  await requireAnyRoom(context, write);
  if (context.poolBytes !== undefined) return;
  const { code, info } = await context.calls.query(write.key);
  if (code !== 0 || !info.valid) return;
  const freed = info.size * Math.max(1, info.replicas.length);
  if (write.bytes * write.options.replicas <= freed) return;
  throw problemOfCode('write', GENERAL_ERROR, 'no-room', NO_ROOM_TO_REPLACE);
}

const NO_ROOM_TO_REPLACE =
  'There is no room for the new object, and the present one, which was left alone, is smaller. Try again, or remove it first.';

/** Puts the beginning of the block under a key of ours, and removes it. */
async function canPutSmall(
  { calls }: WriteContext,
  { block, bytes }: Write,
  options: PutOptions,
): Promise<boolean> {
  const code = await calls.put(trialKey, block, Math.min(bytes, TRIAL_BYTES), options);
  if (code === GENERAL_ERROR) return false;
  if (code !== 0 && code !== EXISTS) throw problemOfCode('write', code);
  // The question is answered, whatever becomes of this.
  await calls.remove(trialKey).catch(() => undefined);
  return true;
}
