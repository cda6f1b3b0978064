import { ProblemError } from '../errors.ts';
import type { DataInfo } from '../native/types.ts';
import type { BatchCalls } from './batch-calls.ts';
import { problemOfThrown, type StoreOperation } from './engine-problem.ts';

/** What the engine takes in one call (engine.md §2); more is −3000. */
export const MAX_CALL_KEYS = 16_384;

/** The engine's code of each item. From `stopped.from` on nothing was answered, for that reason. */
export interface ItemCodes {
  readonly codes: Int32Array;
  readonly stopped: Stopped | undefined;
}

export interface Stopped {
  readonly from: number;
  readonly problem: ProblemError;
}

export interface ItemInfos extends ItemCodes {
  readonly infos: readonly DataInfo[];
}

/**
 * Asks for many keys, as many at a time as the engine takes. When the first call fails, so does the
 * whole; when a later one does, the items before keep their answers and no further call is made.
 */
export async function askForKeys(
  engine: BatchCalls,
  operation: 'exists' | 'remove',
  keys: readonly string[],
): Promise<ItemCodes> {
  const codes = new Int32Array(keys.length);
  const stopped = await inCalls(operation, keys, async (part, from) => {
    const call = operation === 'exists' ? engine.batchExist(part) : engine.batchRemove(part);
    codes.set((await call).results, from);
  });
  return { codes, stopped };
}

/**
 * As `askForKeys`; a key that the engine does not know has the code of a missing one. `take` gets what
 * the engine says of each key, and its code.
 */
export async function queryKeys(
  engine: BatchCalls,
  operation: 'stat' | 'read',
  keys: readonly string[],
  take: (index: number, info: DataInfo, code: number) => void,
): Promise<ItemCodes> {
  const codes = new Int32Array(keys.length);
  const stopped = await inCalls(operation, keys, async (part, from) => {
    const answer = await engine.batchQuery(part);
    for (let i = 0; i < part.length; i++) {
      const info = answer.infos[i] as DataInfo;
      const code = info.valid ? 0 : answer.code === 0 ? MISSING : answer.code;
      codes[from + i] = code;
      take(from + i, info, code);
    }
  });
  return { codes, stopped };
}

const MISSING = -3102;

async function inCalls(
  operation: StoreOperation,
  keys: readonly string[],
  call: (part: readonly string[], from: number) => Promise<void>,
): Promise<Stopped | undefined> {
  for (let from = 0; from < keys.length; from += MAX_CALL_KEYS) {
    const whole = keys.length <= MAX_CALL_KEYS;
    try {
      await call(whole ? keys : keys.slice(from, from + MAX_CALL_KEYS), from);
    } catch (error) {
      const problem = problemOfThrown(operation, error);
      if (from === 0 || !(problem instanceof ProblemError)) throw problem;
      return { from, problem };
    }
  }
  return undefined;
}
