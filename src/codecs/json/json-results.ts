import { MMC_OBJECT_NOT_EXISTS, MMC_UNMATCHED_KEY } from '../../errors/engine-codes.ts';
import { type ProblemError, type ProblemSlug, sharedProblem } from '../../errors/problems.ts';
import type { ItemCodes, ItemInfos } from '../../store/ask-keys.ts';
import type { BufferOutcome } from '../../store/buffers/buffer-items.ts';
import { problemOfCode } from '../../store/engine-problem.ts';
import type { WriteOutcome } from '../../store/object-store.ts';
import { failureTexts, quoted } from '../item-text.ts';

/** A response without values: the texts of the items are created while they are sent. */
export interface Results {
  readonly count: number;
  readonly failed: number;
  /** The number of failed items with each problem. */
  readonly failures: ReadonlyMap<ProblemSlug, number>;
  readonly item: (index: number) => string;
}

/** The result of an item: the rest of its text, or its problem. */
type Told = string | ProblemError;

/** Texts that depend only on the code are created once for each code. */
function byCode(tell: (code: number) => Told): (code: number) => Told {
  const told = new Map<number, Told>();
  return (code) => {
    let found = told.get(code);
    if (found === undefined) {
      found = tell(code);
      told.set(code, found);
    }
    return found;
  };
}

function results(
  keys: readonly string[],
  tell: (index: number) => Told,
  problemOf = (index: number): Told | undefined => tell(index),
): Results {
  const failureText = failureTexts();
  // Texts are created when they are sent and not kept; otherwise a slow client would hold all of them.
  const failures = new Map<ProblemSlug, number>();
  let failed = 0;
  for (let index = 0; index < keys.length; index++) {
    const problem = problemOf(index);
    if (problem === undefined || typeof problem === 'string') continue;
    failed += 1;
    failures.set(problem.slug, (failures.get(problem.slug) ?? 0) + 1);
  }
  return {
    count: keys.length,
    failed,
    failures,
    item(index) {
      const key = keys[index] as string;
      const text = tell(index);
      return typeof text === 'string' ? `{"key":${quoted(key)},${text}}` : failureText(key, text);
    },
  };
}

/** Why this item has no code: the request may not use it, or a problem ended the calls before it was processed. */
function withoutCode({ stopped, refused }: ItemCodes, index: number): ProblemError | undefined {
  if (refused?.has(index) === true) return refused.problem;
  return stopped !== undefined && index >= stopped.from ? stopped.problem : undefined;
}

/** A missing object is a result; an object that is being written exists, as for a single HEAD. */
export function existsResults(keys: readonly string[], answer: ItemCodes): Results {
  const tell = byCode((code) => {
    const exists = code === 0 || code === MMC_OBJECT_NOT_EXISTS;
    if (!exists && code !== MMC_UNMATCHED_KEY) return problemOfCode('exists', code);
    return `"status":200,"code":${code},"exists":${exists}`;
  });
  return results(keys, (i) => withoutCode(answer, i) ?? tell(answer.codes[i] as number));
}

export function removeResults(keys: readonly string[], answer: ItemCodes): Results {
  const tell = byCode((code) =>
    code === 0 ? '"status":204,"code":0' : problemOfCode('remove', code),
  );
  return results(keys, (i) => withoutCode(answer, i) ?? tell(answer.codes[i] as number));
}

export function infoResults(keys: readonly string[], answer: ItemInfos): Results {
  const problem = byCode((code) => problemOfCode('stat', code));
  const infoOf = (i: number) => answer.infos[i] as ItemInfos['infos'][number];
  const problemOf = (i: number): Told | undefined => {
    const stopped = withoutCode(answer, i);
    if (stopped !== undefined) return stopped;
    const code = answer.codes[i] as number;
    if (code !== 0) return problem(code);
    return infoOf(i).replicas.length === 0 ? problem(MMC_OBJECT_NOT_EXISTS) : undefined;
  };
  const textOf = (i: number): string => {
    const { size, replicas } = infoOf(i);
    return `"status":200,"code":0,"size":${size},"replicas":${JSON.stringify(replicas)}`;
  };
  return results(keys, (i) => problemOf(i) ?? textOf(i), problemOf);
}

const WRITTEN: Readonly<Record<WriteOutcome, string>> = {
  created: '"status":201,"code":0,"outcome":"created"',
  kept: '"status":200,"code":-3006,"outcome":"kept"',
  replaced: '"status":200,"code":0,"outcome":"replaced"',
};

const UNSETTLED = sharedProblem('internal-error');

export function putResults(
  keys: readonly string[],
  outcomes: readonly (WriteOutcome | ProblemError | undefined)[],
): Results {
  return results(keys, (i) => {
    const outcome = outcomes[i] ?? UNSETTLED;
    return typeof outcome === 'string' ? WRITTEN[outcome] : outcome;
  });
}

/** The items of a transfer. A failed one has the size of its object, where that is known. */
export function bufferResults(
  keys: readonly string[],
  outcomes: readonly BufferOutcome[],
): Results {
  const resultOf = (i: number): Told => (outcomes[i] as BufferOutcome).result ?? UNSETTLED;
  const tell = (i: number): Told => {
    const { result = UNSETTLED, size, isCopied } = outcomes[i] as BufferOutcome;
    if (typeof result !== 'string') return result;
    const text = result === 'read' ? '"status":200,"code":0' : WRITTEN[result];
    return `${text},"size":${size ?? 0}${isCopied ? ',"copied":true' : ''}`;
  };
  const base = results(keys, tell, resultOf);
  return {
    ...base,
    item(index) {
      const text = base.item(index);
      const { result, size } = outcomes[index] as BufferOutcome;
      const isSized = typeof result !== 'string' && size !== undefined;
      return isSized ? `${text.slice(0, -1)},"size":${size}}` : text;
    },
  };
}

/** A response that waits for a slow client has one or two pieces of its text in memory. */
const PIECE_LENGTH = 64 * 1024;

/** The whole response in pieces of text: `{"items":[…],"failed":0}`. */
export function* resultsText({ count, failed, item }: Results): Generator<string> {
  let text = '{"items":[';
  for (let index = 0; index < count; index++) {
    text += index === 0 ? item(index) : `,${item(index)}`;
    if (text.length < PIECE_LENGTH) continue;
    yield text;
    text = '';
  }
  yield `${text}],"failed":${failed}}\n`;
}
