import {
  MMC_DUPLICATED_OBJECT,
  MMC_ERROR,
  MMC_OBJECT_NOT_EXISTS,
  MMC_UNMATCHED_KEY,
} from '../errors/engine-codes.ts';
import { ProblemError, type ProblemSlug } from '../errors/problems.ts';
import type { Block, PutOptions } from '../native/abi/types.ts';
import type { BatchCalls } from '../scheduler/batch-calls.ts';
import type { PoolBytes } from './admission.ts';
import { problemOfCode, problemOfThrown } from './engine-problem.ts';
import type { IfExists, WriteOutcome } from './object-store.ts';
import { requireAnyRoom, requireReplaceable, unexplained } from './refused-put.ts';

/** A value that has been received whole. */
export interface WriteItem {
  readonly index: number;
  readonly key: string;
  /** Exactly as long as the value. The caller owns it. */
  readonly block: Block;
}

export interface WriteContext {
  readonly engine: BatchCalls;
  readonly poolBytes: PoolBytes | undefined;
  readonly options: PutOptions;
  readonly ifExists: IfExists;
  /** Repeats the put of a single object until there is room in the pool; without it, a put fails at once. */
  readonly awaitRoom?:
    | ((bytes: number, attempt: () => Promise<boolean>) => Promise<void>)
    | undefined;
  /** Writes an item of a batch by itself: it stores an item that the batch could not store, or explains why. */
  readonly alone?: WriteAlone;
}

/** `mayWait`: whether the item may wait for room in the pool. */
export type WriteAlone = (
  item: WriteItem,
  mayWait: boolean,
) => WriteOutcome | Promise<WriteOutcome>;

export type Settle = (index: number, outcome: WriteOutcome | ProblemError) => void;

/** Another writer may store the key again between the remove and the put: replace it too, but only a few times. */
const MAX_ATTEMPTS = 3;

/**
 * Stores one object, and waits for room in the pool. `firstCode` is the engine's code for the first put,
 * where it has been made.
 */
export async function writeObject(
  context: WriteContext,
  item: WriteItem,
  firstCode?: number,
): Promise<WriteOutcome> {
  let outcome: WriteOutcome | ProblemError | undefined;
  const writing = new Writing(context, (_index, settled) => {
    outcome = settled;
  });
  /** False if there was no room. */
  const attempt = async (code?: number): Promise<boolean> => {
    outcome = undefined;
    try {
      await writing.run([item], code === undefined ? undefined : Int32Array.of(code));
    } catch (error) {
      outcome ??= problemOrThrow(error);
    }
    return !(outcome instanceof ProblemError && outcome.slug === 'no-room');
  };
  if (!(await attempt(firstCode))) {
    await context.awaitRoom?.(item.block.length, () => attempt());
  }
  if (typeof outcome === 'string') return outcome;
  throw outcome ?? new Error('an object was not settled');
}

/**
 * Stores objects with as few calls as their codes allow, and settles each once. `replace` removes and
 * puts again, which is not atomic: a reader may see neither. An object is not removed for one that
 * cannot be put in its place. Rejects with a defect only: an error of the engine settles every item
 * that is not settled yet.
 */
export async function writeObjects(
  context: WriteContext,
  items: readonly WriteItem[],
  settle: Settle,
  firstCodes?: Int32Array,
): Promise<void> {
  const settled = new Set<number>();
  const writing = new Writing(context, (index, outcome) => {
    settled.add(index);
    settle(index, outcome);
  });
  try {
    await writing.run(items, firstCodes);
  } catch (error) {
    const problem = problemOrThrow(error);
    for (const { index } of items) if (!settled.has(index)) settle(index, problem);
  }
}

/** The problem of an error of the engine. @throws any other error, which is a defect. */
function problemOrThrow(error: unknown): ProblemError {
  const problem = problemOfThrown('write', error);
  if (!(problem instanceof ProblemError)) throw problem;
  return problem;
}

/** Items that the engine did not store: their keys exist, or the engine gave no reason (−1). */
interface Unsettled {
  readonly present: WriteItem[];
  readonly refused: WriteItem[];
}

class Writing {
  readonly #context: WriteContext;
  readonly #settle: Settle;
  /** One item of a batch may wait for room: after that, the others find room or there is none. */
  #mayWait = true;
  /** Items whose former object has been removed. */
  readonly #replaced = new Set<number>();

  constructor(context: WriteContext, settle: Settle) {
    this.#context = context;
    this.#settle = settle;
  }

  async run(items: readonly WriteItem[], firstCodes?: Int32Array): Promise<void> {
    const { present, refused } = this.#sort(items, firstCodes ?? (await this.#put(items)));
    // An item whose outcome is known must not get the problem of a later call for other items.
    await this.#overwrite(present, 1);
    await this.#explain(refused, 1);
  }

  /** Settles items whose keys exist, or replaces the objects. */
  async #overwrite(items: readonly WriteItem[], attempt: number): Promise<void> {
    if (items.length === 0) return;
    if (!this.#mayReplace(attempt)) {
      const { ifExists } = this.#context;
      const outcome = ifExists === 'keep' ? 'kept' : problemOfCode('write', MMC_DUPLICATED_OBJECT);
      for (const { index } of items) this.#settle(index, outcome);
      return;
    }
    const { present, refused } = await this.#replace(items);
    const { alone } = this.#context;
    // An object that was removed is stored again before any other call, which may fail.
    if (alone === undefined) await this.#explain(refused, attempt + 1);
    else await this.#writeEach(alone, refused, concernsOthers);
    await this.#overwrite(present, attempt + 1);
  }

  /** Finds out why the engine refused items, and stores those that it can. */
  async #explain(refused: readonly WriteItem[], attempt: number): Promise<void> {
    if (refused.length === 0) return;
    const { there, absent } = await this.#find(refused);
    const { alone } = this.#context;
    if (!this.#mayReplace(attempt)) await this.#overwrite(there, attempt);
    else if (alone !== undefined) await this.#writeEach(alone, there, () => false);
    else await this.#overwrite(await this.#passing(there, requireReplaceable), attempt);
    await this.#overwrite(await this.#putAgain(absent), attempt);
  }

  #mayReplace(attempt: number): boolean {
    return this.#context.ifExists === 'replace' && attempt < MAX_ATTEMPTS;
  }

  async #put(items: readonly WriteItem[]): Promise<Int32Array> {
    if (items.length === 0) return new Int32Array(0);
    const { engine, options } = this.#context;
    return engine.put(keysOf(items), blocksOf(items), options);
  }

  #sort(items: readonly WriteItem[], codes: Int32Array): Unsettled {
    const unsettled: Unsettled = { present: [], refused: [] };
    for (let n = 0; n < items.length; n++) {
      const item = items[n] as WriteItem;
      const code = codes[n] as number;
      const { index } = item;
      if (code === 0) this.#settle(index, this.#replaced.has(index) ? 'replaced' : 'created');
      else if (code === MMC_DUPLICATED_OBJECT) unsettled.present.push(item);
      else if (code === MMC_ERROR) unsettled.refused.push(item);
      else this.#settle(index, problemOfCode('write', code));
    }
    return unsettled;
  }

  /**
   * The engine seeks room before it looks for the key (docs/engine-facts.md §4). So behind −1 the
   * object may exist or be being written. An engine that has just lost its meta service reports that here.
   */
  async #find(refused: readonly WriteItem[]) {
    const there: WriteItem[] = [];
    const absent: WriteItem[] = [];
    if (refused.length === 0) return { there, absent };
    const codes = await this.#context.engine.exist(keysOf(refused));
    for (const [n, item] of refused.entries()) {
      const code = codes[n] as number;
      if (code === 0 || code === MMC_OBJECT_NOT_EXISTS) there.push(item);
      else if (code === MMC_UNMATCHED_KEY) absent.push(item);
      else this.#settle(item.index, problemOfCode('write', code));
    }
    return { there, absent };
  }

  /** The first put may have set off an eviction that has made room. Returns those whose keys exist now. */
  async #putAgain(absent: readonly WriteItem[]): Promise<WriteItem[]> {
    if (absent.length === 0) return [];
    const { alone } = this.#context;
    const items = alone === undefined ? await this.#passing(absent, requireAnyRoom) : absent;
    const { present, refused } = this.#sort(items, await this.#put(items));
    if (alone !== undefined) await this.#writeEach(alone, refused, concernsOthers);
    else for (const { index, block } of refused) this.#settle(index, unexplained(block));
    return present;
  }

  /**
   * Writes items one by one. The cause that prevents one put usually prevents the others, so it is
   * explained once: the problem of an item that `concernsRest` is the problem of those behind it.
   */
  async #writeEach(
    alone: WriteAlone,
    items: readonly WriteItem[],
    concernsRest: (problem: ProblemError) => boolean,
  ): Promise<void> {
    for (const [n, item] of items.entries()) {
      const outcome = await this.#writeAlone(alone, item);
      this.#settle(item.index, outcome);
      if (typeof outcome === 'string' || !concernsRest(outcome)) continue;
      for (const { index } of items.slice(n + 1)) this.#settle(index, outcome);
      return;
    }
  }

  async #writeAlone(alone: WriteAlone, item: WriteItem): Promise<WriteOutcome | ProblemError> {
    try {
      const mayWait = this.#mayWait;
      this.#mayWait = false;
      const outcome = await alone(item, mayWait);
      return outcome === 'created' && this.#replaced.has(item.index) ? 'replaced' : outcome;
    } catch (error) {
      return problemOrThrow(error);
    }
  }

  /** The items that meet the requirement; the others are settled with its problem. */
  async #passing(
    items: readonly WriteItem[],
    require: (context: WriteContext, item: WriteItem) => Promise<void>,
  ): Promise<WriteItem[]> {
    const passing: WriteItem[] = [];
    for (const item of items) {
      try {
        await require(this.#context, item);
        passing.push(item);
      } catch (error) {
        if (!(error instanceof ProblemError)) throw error;
        this.#settle(item.index, error);
      }
    }
    return passing;
  }

  /** One call for both steps: a put after a remove must not wait for others, nor be refused for them. */
  async #replace(items: readonly WriteItem[]): Promise<Unsettled> {
    if (items.length === 0) return { present: [], refused: [] };
    const { engine, options } = this.#context;
    const { removed, stored } = await engine.replace(keysOf(items), blocksOf(items), options);
    const put = items.filter(({ index }, n) => {
      const code = removed[n] as number;
      if (code === 0) this.#replaced.add(index);
      if (code === 0 || code === MMC_UNMATCHED_KEY) return true;
      this.#settle(index, problemOfCode('write', code));
      return false;
    });
    return this.#sort(put, stored);
  }
}

/** Problems of a single object. Any other problem of a put prevents the puts of other objects too. */
const OF_ONE_OBJECT: ReadonlySet<ProblemSlug> = new Set<ProblemSlug>([
  ...(['object-exists', 'object-not-found', 'object-being-written', 'repeated-call'] as const),
  ...(['pool-too-small', 'lease-active', 'unmatched-state', 'range-already-written'] as const),
  'engine-invalid-parameter',
]);

export const concernsOthers = ({ slug }: Pick<ProblemError, 'slug'>): boolean =>
  !OF_ONE_OBJECT.has(slug);

const keysOf = (items: readonly WriteItem[]): string[] => items.map(({ key }) => key);
const blocksOf = (items: readonly WriteItem[]): Block[] => items.map(({ block }) => block);
