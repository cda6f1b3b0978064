import { ProblemError } from '../errors/problems.ts';
import type { DataInfo } from '../native/abi/types.ts';
import type { BatchCalls } from '../scheduler/batch-calls.ts';
import { partEnd } from '../scheduler/call-parts.ts';
import { problemOfThrown, type StoreOperation } from './engine-problem.ts';

/** The engine's code for each item. The items from `stopped.from` on have no code, for that reason. */
export interface ItemCodes {
  readonly codes: Int32Array;
  readonly stopped: Stopped | undefined;
  /** Items that the request may not use: they have no code either, for that reason. */
  readonly refused?: { readonly problem: ProblemError; has(index: number): boolean };
}

export interface Stopped {
  readonly from: number;
  readonly problem: ProblemError;
}

export interface ItemInfos extends ItemCodes {
  readonly infos: readonly DataInfo[];
}

/**
 * Makes one call for as many keys as the engine takes, one call after another. If the first call fails,
 * the operation fails. If a later call fails, the items before it keep their codes, and no further call
 * is made.
 */
export async function askForKeys(
  engine: BatchCalls,
  operation: 'exists' | 'remove',
  keys: readonly string[],
): Promise<ItemCodes> {
  const codes = new Int32Array(keys.length);
  const stopped = await inCalls(operation, keys, async (part, from) => {
    const call = operation === 'exists' ? engine.exist(part) : engine.remove(part);
    codes.set(await call, from);
  });
  return { codes, stopped };
}

/**
 * As `askForKeys`; the code of a missing key is −3102. `take` receives the information and the code of
 * each key.
 */
export async function queryKeys(
  engine: BatchCalls,
  operation: 'stat' | 'read',
  keys: readonly string[],
  take: (index: number, info: DataInfo, code: number) => void,
): Promise<ItemCodes> {
  const codes = new Int32Array(keys.length);
  const stopped = await inCalls(operation, keys, async (part, from) => {
    const known = await engine.query(part);
    codes.set(known.codes, from);
    for (let i = 0; i < part.length; i++) {
      take(from + i, known.infos[i] as DataInfo, known.codes[i] as number);
    }
  });
  return { codes, stopped };
}

async function inCalls(
  operation: StoreOperation,
  keys: readonly string[],
  call: (part: readonly string[], from: number) => Promise<void>,
): Promise<Stopped | undefined> {
  const { length } = keys;
  for (let from = 0, to = 0; from < length; from = to) {
    to = partEnd(from, length);
    try {
      await call(to - from === length ? keys : keys.slice(from, to), from);
    } catch (error) {
      const problem = problemOfThrown(operation, error);
      if (from === 0 || !(problem instanceof ProblemError)) throw problem;
      return { from, problem };
    }
  }
  return undefined;
}
