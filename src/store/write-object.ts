import { randomUUID } from 'node:crypto';
import type { Arena, Block, PutOptions } from '../native/types.ts';
import type { EngineCalls } from './engine-calls.ts';
import { problemOfCode } from './engine-problem.ts';
import type { IfExists, WriteOutcome } from './object-store.ts';

const EXISTS = -3006;
const MISSING = -3102;
const BEING_WRITTEN = -3007;
const GENERAL_ERROR = -1;

export interface WriteContext {
  readonly calls: EngineCalls;
  readonly arena: Arena;
  readonly poolBytes: number | undefined;
}

/** Stores a block; `replace` removes and puts again, which is not atomic: a reader may see neither. */
export async function writeObject(
  context: WriteContext,
  key: string,
  block: Block,
  bytes: number,
  options: PutOptions,
  ifExists: IfExists,
): Promise<WriteOutcome> {
  let replaced = false;
  // Another writer may slip in between the remove and the put; it is replaced too, but not for ever.
  for (let attempt = 1; ; attempt++) {
    const code = await putExplained(context, key, block, bytes, options);
    if (code === 0) return replaced ? 'replaced' : 'created';
    if (ifExists === 'keep') return 'kept';
    if (ifExists === 'fail' || attempt === 3) throw problemOfCode('write', EXISTS);
    const removed = await context.calls.remove(key);
    if (removed !== 0 && removed !== MISSING) throw problemOfCode('write', removed);
    replaced ||= removed === 0;
  }
}

/** 0 or −3006; every other code is thrown, −1 with its reason. */
async function putExplained(
  context: WriteContext,
  key: string,
  block: Block,
  bytes: number,
  options: PutOptions,
): Promise<number> {
  const code = await context.calls.put(key, block, bytes, options);
  if (code === 0 || code === EXISTS) return code;
  if (code !== GENERAL_ERROR) throw problemOfCode('write', code);
  // Room is sought before the key is looked up, so −1 may hide that the object exists, or is being
  // written; and an engine that has just lost its meta service says so from the next call on.
  const existing = await context.calls.exist(key);
  if (existing === 0 || existing === BEING_WRITTEN) return EXISTS;
  if (existing !== MISSING) throw problemOfCode('write', existing);
  throw await explainGeneralError(context, bytes, options);
}

/**
 * The engine's −1 says nothing. One byte, put with the same placement and then with none, tells what
 * stands in the way: the placement, the room for this size, or everything.
 */
async function explainGeneralError(context: WriteContext, bytes: number, options: PutOptions) {
  const { poolBytes } = context;
  if (poolBytes !== undefined && bytes * options.replicas > poolBytes) {
    return problemOfCode(
      'write',
      GENERAL_ERROR,
      'pool-too-small',
      `${bytes} bytes in ${options.replicas} replicas do not fit a pool of ${poolBytes} bytes.`,
    );
  }
  const placed = options.replicas > 1 || options.prefer.length > 0;
  if (placed && !(await canPutOneByte(context, options))) {
    const free = await canPutOneByte(context, { replicas: 1, prefer: [] });
    if (free) return problemOfCode('write', GENERAL_ERROR, 'placement-impossible');
  }
  return problemOfCode('write', GENERAL_ERROR, 'no-room');
}

async function canPutOneByte(context: WriteContext, options: PutOptions): Promise<boolean> {
  const block = context.arena.tryAllocate(1);
  if (block === undefined) return false;
  const key = `memcache-gateway/placement/${randomUUID()}`;
  try {
    block.view[0] = 1;
    const code = await context.calls.put(key, block, 1, options);
    if (code !== 0 && code !== GENERAL_ERROR) throw problemOfCode('write', code);
    if (code === 0) await context.calls.remove(key);
    return code === 0;
  } finally {
    block.release();
  }
}
