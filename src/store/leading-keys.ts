import { MMC_OBJECT_NOT_EXISTS, MMC_UNMATCHED_KEY } from '../errors/engine-codes.ts';
import type { BatchCalls } from '../scheduler/batch-calls.ts';
import { askForKeys } from './ask-keys.ts';
import { problemOfCode } from './engine-problem.ts';

/** Keys of the first engine call. Most requests end within it, so a miss at the start costs little. */
const FIRST_KEYS = 32;

/**
 * The number of keys, from the first on, whose objects can be read. An object that is being written ends
 * the count like a missing one. Fails with the problem of the first key that the engine cannot check,
 * unless the count ends before it.
 */
export async function countLeading(engine: BatchCalls, keys: readonly string[]): Promise<number> {
  const first = keys.slice(0, FIRST_KEYS);
  const found = await leadingOf(engine, first);
  if (found < first.length || found === keys.length) return found;
  return found + (await leadingOf(engine, keys.slice(FIRST_KEYS)));
}

async function leadingOf(engine: BatchCalls, keys: readonly string[]): Promise<number> {
  const { codes, stopped } = await askForKeys(engine, 'exists', keys);
  const checked = stopped?.from ?? keys.length;
  for (let at = 0; at < checked; at++) {
    const code = codes[at] as number;
    if (code === MMC_UNMATCHED_KEY || code === MMC_OBJECT_NOT_EXISTS) return at;
    if (code !== 0) throw problemOfCode('exists', code);
  }
  if (stopped !== undefined) throw stopped.problem;
  return checked;
}
