import type { ProblemError } from '../errors.ts';
import type { Block } from '../native/types.ts';
import type { BatchCalls } from './batch-calls.ts';
import { problemOfCode } from './engine-problem.ts';

/** An item of a batch get that the engine answered with its −1, which says nothing. */
export interface Doubt {
  readonly index: number;
  readonly key: string;
  /** Where it was to be read, as long as it was found to be before. */
  readonly slice: Block;
}

/** Why it can't be had; or the block it was read into, when it had another length; or neither: it is in its place. */
export interface Certainty {
  readonly index: number;
  readonly problem?: ProblemError;
  readonly block?: Block;
}

const UNREADABLE = 'The object is there, and the engine failed to read it, twice. Try again.';

/**
 * Explains the −1 of single items as a single read does (read-object.ts), with one call of each kind
 * for all of them: gone, being written, of another length, or none of these. The last two are read
 * once more; for another length only if there is room at once, since the window is held meanwhile.
 */
export async function readAgain(
  engine: BatchCalls,
  doubts: readonly Doubt[],
): Promise<Certainty[]> {
  const certain: Certainty[] = [];
  const { code, infos } = await engine.batchQuery(doubts.map(({ key }) => key));
  const present = doubts.flatMap((doubt, n) => {
    const info = infos[n];
    if (info?.valid === true) return [{ doubt, size: info.size }];
    certain.push({ index: doubt.index, problem: problemOfCode('read', code === 0 ? -3102 : code) });
    return [];
  });
  const unchanged = present.filter(({ doubt, size }) => size === doubt.slice.length);
  const attempts: Attempt[] = await readableOf(engine, unchanged, certain);
  for (const { doubt, size } of present) {
    if (size === doubt.slice.length) continue;
    const block = size > engine.arena.maxBlockBytes ? undefined : roomFor(engine, size);
    if (block === undefined) certain.push({ index: doubt.index, problem: twice(true) });
    else attempts.push({ doubt, block });
  }
  if (attempts.length > 0) await retry(engine, attempts, certain);
  return certain;
}

/** The object may have become empty meanwhile, which is as good as changed. */
const roomFor = (engine: BatchCalls, size: number): Block | undefined =>
  size === 0 ? undefined : engine.arena.tryAllocate(size);

interface Present {
  readonly doubt: Doubt;
  readonly size: number;
}

/** To be read into its old place, or into a block of its own. */
interface Attempt {
  readonly doubt: Doubt;
  readonly block?: Block;
}

/** Those of them that the engine says can be read. */
async function readableOf(
  engine: BatchCalls,
  unchanged: readonly Present[],
  certain: Certainty[],
): Promise<Attempt[]> {
  if (unchanged.length === 0) return [];
  const { results } = await engine.batchExist(unchanged.map(({ doubt }) => doubt.key));
  return unchanged.flatMap(({ doubt }, n) => {
    const code = results[n] as number;
    if (code === 0) return [{ doubt }];
    certain.push({ index: doubt.index, problem: problemOfCode('read', code) });
    return [];
  });
}

async function retry(
  engine: BatchCalls,
  attempts: readonly Attempt[],
  certain: Certainty[],
): Promise<void> {
  const kept = new Set<Block>();
  try {
    const { results } = await engine.batchGet(
      attempts.map(({ doubt }) => doubt.key),
      attempts.map(({ doubt, block }) => block ?? doubt.slice),
    );
    for (const [n, { doubt, block }] of attempts.entries()) {
      const code = results[n] as number;
      const { index } = doubt;
      if (code === 0 && block !== undefined) {
        kept.add(block);
        certain.push({ index, block });
      } else if (code === -1) {
        certain.push({ index, problem: twice(block !== undefined) });
      } else if (code !== 0) certain.push({ index, problem: problemOfCode('read', code) });
    }
  } finally {
    for (const { block } of attempts) if (block !== undefined && !kept.has(block)) block.release();
  }
}

const twice = (changed: boolean): ProblemError =>
  changed
    ? problemOfCode('read', -1, 'object-changed')
    : problemOfCode('read', -1, 'read-not-trusted', UNREADABLE);
