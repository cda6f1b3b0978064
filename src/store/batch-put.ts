import { ProblemError, problemKinds } from '../errors.ts';
import type { Block, PutOptions } from '../native/types.ts';
import type { BatchCalls } from './batch-calls.ts';
import { problemOfCode, problemOfThrown } from './engine-problem.ts';
import type { IfExists, ObjectStore, WriteOutcome } from './object-store.ts';

const CREATED = 0;
const GENERAL_ERROR = -1;
const EXISTS = -3006;
const BEING_WRITTEN = -3007;
const MISSING = -3102;

/** A value that has come whole. */
export interface Received {
  readonly index: number;
  readonly key: string;
  /** Exactly as long as the value. */
  readonly block: Block;
}

export interface PutContext {
  readonly engine: BatchCalls;
  /** For what can only be explained, or done, one by one. */
  readonly store: Pick<ObjectStore, 'write'>;
  readonly options: PutOptions;
  readonly ifExists: IfExists;
  readonly settle: (index: number, outcome: WriteOutcome | ProblemError) => void;
}

/**
 * Stores values with as few calls as their answers allow, and settles each. Rejects only with what is
 * a defect; what the engine throws is every unsettled item's problem.
 */
export async function putBatch(context: PutContext, items: readonly Received[]): Promise<void> {
  const settled = new Set<number>();
  const settle = (index: number, outcome: WriteOutcome | ProblemError): void => {
    settled.add(index);
    context.settle(index, outcome);
  };
  try {
    const watched = { ...context, settle };
    const { present, refused } = await putAll(watched, items);
    if (present.length > 0) await dealWithPresent(watched, present);
    if (refused.length > 0) await dealWithRefused(watched, refused);
  } catch (error) {
    const problem = problemOfThrown('write', error);
    if (!(problem instanceof ProblemError)) throw problem;
    for (const { index } of items) if (!settled.has(index)) context.settle(index, problem);
  }
}

interface Unsettled {
  /** Those whose keys exist. */
  readonly present: Received[];
  /** Those that the engine refused without a reason. */
  readonly refused: Received[];
}

async function putAll(context: PutContext, items: readonly Received[]): Promise<Unsettled> {
  const { engine, options } = context;
  const { results } = await engine.batchPut(keysOf(items), blocksOf(items), options);
  return settlePut(context, items, results);
}

function settlePut(
  { settle }: PutContext,
  items: readonly Received[],
  results: Int32Array,
): Unsettled {
  const present: Received[] = [];
  const refused: Received[] = [];
  for (const [n, item] of items.entries()) {
    const code = results[n] as number;
    if (code === CREATED) settle(item.index, 'created');
    else if (code === EXISTS) present.push(item);
    else if (code === GENERAL_ERROR) refused.push(item);
    else settle(item.index, problemOfCode('write', code));
  }
  return { present, refused };
}

/** The engine seeks room before it looks for the key, so what is removed here could have been put. */
async function dealWithPresent(context: PutContext, items: readonly Received[]): Promise<void> {
  const { engine, options, ifExists, settle } = context;
  if (ifExists !== 'replace') {
    for (const { index } of items) {
      settle(index, ifExists === 'keep' ? 'kept' : problemOfCode('write', EXISTS));
    }
    return;
  }
  // One call for both: what has been removed must not wait for others, nor be refused for them.
  const answer = await engine.batchReplace(keysOf(items), blocksOf(items), options);
  const removed = new Set<number>();
  const gone = items.filter((item, n) => {
    const code = answer.removed[n] as number;
    if (code === 0) removed.add(item.index);
    if (code === 0 || code === MISSING) return true;
    settle(item.index, problemOfCode('write', code));
    return false;
  });
  const replacing: PutContext = {
    ...context,
    settle: (index, outcome) =>
      settle(index, outcome === 'created' && removed.has(index) ? 'replaced' : outcome),
  };
  const { present, refused } = settlePut(replacing, gone, answer.stored);
  // Another writer slipped in, or took the room.
  for (const item of present) await writeAlone(replacing, item);
  if (refused.length > 0) await explainRefused(replacing, refused);
}

/**
 * Behind a −1 the object may exist, since room is sought first; or an eviction that the first try set
 * off has made room by now.
 */
async function dealWithRefused(context: PutContext, items: readonly Received[]): Promise<void> {
  const { engine, ifExists } = context;
  const { results } = await engine.batchExist(keysOf(items));
  const there = items.filter((_, n) => results[n] === 0 || results[n] === BEING_WRITTEN);
  const absent = items.filter((_, n) => results[n] === MISSING);
  for (const [n, item] of items.entries()) {
    const code = results[n] as number;
    if (code !== 0 && code !== BEING_WRITTEN && code !== MISSING) {
      context.settle(item.index, problemOfCode('write', code));
    }
  }
  if (ifExists === 'replace') for (const item of there) await writeAlone(context, item);
  else if (there.length > 0) await dealWithPresent(context, there);
  if (absent.length === 0) return;
  const { present, refused } = await putAll(context, absent);
  if (present.length > 0) await dealWithPresent(context, present);
  if (refused.length > 0) await explainRefused(context, refused);
}

/**
 * What stands in the way of one stands in the way of the others, so it is only asked for once: a
 * single write finds out (write-object.ts). Behind those that it stores after all, and those whose
 * own key or size is in the way, it goes on one by one.
 */
async function explainRefused(context: PutContext, items: readonly Received[]): Promise<void> {
  for (const [n, item] of items.entries()) {
    const problem = await writeAlone(context, item);
    if (problem === undefined || !concernsOthers(problem)) continue;
    for (const { index } of items.slice(n + 1)) context.settle(index, problem);
    return;
  }
}

const concernsOthers = ({ slug }: ProblemError): boolean =>
  slug === 'placement-impossible' || problemKinds[slug].status >= 500;

async function writeAlone(
  { store, options, ifExists, settle }: PutContext,
  { index, key, block }: Received,
): Promise<ProblemError | undefined> {
  try {
    settle(index, await store.write(key, block, block.length, options, ifExists));
    return undefined;
  } catch (error) {
    const problem = problemOfThrown('write', error);
    if (!(problem instanceof ProblemError)) throw problem;
    settle(index, problem);
    return problem;
  }
}

const keysOf = (items: readonly Received[]): string[] => items.map(({ key }) => key);
const blocksOf = (items: readonly Received[]): Block[] => items.map(({ block }) => block);
