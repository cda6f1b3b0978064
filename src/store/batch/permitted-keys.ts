import type { ProblemError } from '../../errors/problems.ts';
import type { DataInfo } from '../../native/abi/types.ts';
import type { ItemCodes } from '../ask-keys.ts';
import type { BatchStore } from './batch-store.ts';

/** Which keys a request may use, and the problem of each other one: one frozen object for all items. */
export interface KeyRule {
  readonly permits: (key: string) => boolean;
  readonly problem: ProblemError;
}

/** Keys of a batch that may be used, with their places in the batch. */
interface Permitted {
  readonly keys: string[];
  readonly indexes: number[];
  readonly refused: NonNullable<ItemCodes['refused']>;
}

const noInfo: DataInfo = { valid: false, size: 0, replicas: [] };

/** A batch store that passes on only permitted keys. The others neither reach the engine nor get memory. */
export function permittedBatches(batches: BatchStore, rule: KeyRule): BatchStore {
  return {
    exists: (keys, caller) => codesOf(keys, rule, (part) => batches.exists(part, caller)),
    remove: (keys) => codesOf(keys, rule, (part) => batches.remove(part)),
    // A run that skipped keys would have another length.
    async countLeading(keys, caller) {
      if (!keys.every(rule.permits)) throw rule.problem;
      return batches.countLeading(keys, caller);
    },
    async stat(keys, caller) {
      const permitted = permittedOf(keys, rule);
      if (permitted === undefined) return batches.stat(keys, caller);
      const infos = keys.map(() => noInfo);
      const codes = await codesOf(keys, rule, async (part) => {
        const answer = await batches.stat(part, caller);
        answer.infos.forEach((info, at) => {
          infos[permitted.indexes[at] as number] = info;
        });
        return answer;
      });
      return { ...codes, infos };
    },
    async planRead(keys, caller) {
      const permitted = permittedOf(keys, rule);
      if (permitted === undefined) return batches.planRead(keys, caller);
      const { indexes, refused } = permitted;
      const plan = { keys, sizes: new Float64Array(keys.length), problems: new Map() };
      for (let index = 0; index < keys.length; index++) {
        if (refused.has(index)) plan.problems.set(index, refused.problem);
      }
      if (indexes.length === 0) return plan;
      const { sizes, problems } = await batches.planRead(permitted.keys, caller);
      for (const [at, index] of indexes.entries()) {
        plan.sizes[index] = sizes[at] as number;
        if (problems.has(at)) plan.problems.set(index, problems.get(at));
      }
      return plan;
    },
    readWindow: (plan, from, caller) => batches.readWindow(plan, from, caller),
    writer: (limits, caller) =>
      batches.writer(
        { ...limits, refuse: (key) => (rule.permits(key) ? undefined : rule.problem) },
        caller,
      ),
    get waiting() {
      return batches.waiting;
    },
  };
}

/** Undefined when all keys are permitted, as they usually are. */
function permittedOf(
  keys: readonly string[],
  { permits, problem }: KeyRule,
): Permitted | undefined {
  if (keys.every(permits)) return undefined;
  const isRefused = new Uint8Array(keys.length);
  const permitted: Permitted = {
    keys: [],
    indexes: [],
    refused: { problem, has: (index) => isRefused[index] === 1 },
  };
  for (const [index, key] of keys.entries()) {
    if (permits(key)) {
      permitted.keys.push(key);
      permitted.indexes.push(index);
    } else isRefused[index] = 1;
  }
  return permitted;
}

/** Asks for the permitted keys, and puts their codes at the places of the keys in the batch. */
async function codesOf(
  keys: readonly string[],
  rule: KeyRule,
  ask: (keys: readonly string[]) => Promise<ItemCodes>,
): Promise<ItemCodes> {
  const permitted = permittedOf(keys, rule);
  if (permitted === undefined) return ask(keys);
  const { indexes, refused } = permitted;
  const codes = new Int32Array(keys.length);
  if (indexes.length === 0) return { codes, stopped: undefined, refused };
  const answer = await ask(permitted.keys);
  for (const [at, index] of indexes.entries()) codes[index] = answer.codes[at] as number;
  const { stopped } = answer;
  return {
    codes,
    stopped: stopped && { from: indexes[stopped.from] as number, problem: stopped.problem },
    refused,
  };
}
