import { MMC_ERROR } from '../errors/engine-codes.ts';
import type { ProblemError } from '../errors/problems.ts';
import type { Block } from '../native/abi/types.ts';
import type { BatchCalls } from '../scheduler/batch-calls.ts';
import { emptyBlock } from './empty-block.ts';
import { problemOfCode } from './engine-problem.ts';

/** An object that the engine did not read: its code was −1, which gives no reason. */
export interface Suspect {
  readonly index: number;
  readonly key: string;
  /** The block that the object was to be read into. The caller owns it. */
  readonly block: Block;
}

/** Why a suspect cannot be read, or the block that holds it now. */
export interface Resolution {
  readonly index: number;
  readonly problem?: ProblemError;
  /** Undefined when the suspect was read into the block of its caller. The receiver owns the block. */
  readonly block?: Block;
}

/**
 * A block for an object that has another length now; undefined when there is no room for it. `index` is that
 * of the suspect.
 */
export type FindRoom = (bytes: number, index: number) => Block | undefined | Promise<Block>;

/** A suspect whose object exists and has the length of its block, or another one. */
interface Present {
  readonly suspect: Suspect;
  readonly size: number;
}

/**
 * Explains the −1 of the suspects, with one call of each kind for all of them: the object is missing,
 * is being written, has another length, or none of these. The last two are read again.
 */
export async function readAgain(
  engine: BatchCalls,
  suspects: readonly Suspect[],
  findRoom: FindRoom,
): Promise<Resolution[]> {
  const resolutions: Resolution[] = [];
  const allocated = new Map<number, Block>();
  try {
    const present = await explain(engine, suspects, resolutions);
    const attempts = await attemptsOf(present, resolutions, async (index, size) => {
      const block = await findRoom(size, index);
      if (block !== undefined) allocated.set(index, block);
      return block;
    });
    const failed = await retry(engine, attempts, (index, problem) => {
      const block = problem === undefined ? allocated.get(index) : undefined;
      if (block !== undefined) allocated.delete(index);
      resolutions.push({ index, ...(problem && { problem }), ...(block && { block }) });
    });
    for (const { suspect, size } of await explain(engine, failed, resolutions)) {
      const problem = failedTwice(size !== suspect.block.length);
      resolutions.push({ index: suspect.index, problem });
    }
    return resolutions;
  } catch (error) {
    for (const { block } of resolutions) block?.release();
    throw error;
  } finally {
    for (const block of allocated.values()) block.release();
  }
}

/** Queries the length of each, and checks whether those with the same length as before can be read. */
async function explain(
  engine: BatchCalls,
  suspects: readonly Suspect[],
  resolutions: Resolution[],
): Promise<Present[]> {
  if (suspects.length === 0) return [];
  const { codes, infos } = await engine.query(keysOf(suspects));
  const present: Present[] = [];
  for (const [n, suspect] of suspects.entries()) {
    const info = infos[n];
    if (info?.valid === true) present.push({ suspect, size: info.size });
    else {
      const problem = problemOfCode('read', codes[n] as number);
      resolutions.push({ index: suspect.index, problem });
    }
  }
  const unchanged = present.filter(({ suspect, size }) => size === suspect.block.length);
  if (unchanged.length === 0) return present;
  const found = await engine.exist(keysOf(unchanged.map(({ suspect }) => suspect)));
  const refused = new Set<Present>();
  for (const [n, each] of unchanged.entries()) {
    const code = found[n] as number;
    if (code === 0) continue;
    refused.add(each);
    resolutions.push({ index: each.suspect.index, problem: problemOfCode('read', code) });
  }
  return refused.size === 0 ? present : present.filter((each) => !refused.has(each));
}

async function attemptsOf(
  present: readonly Present[],
  resolutions: Resolution[],
  findRoom: (index: number, size: number) => Promise<Block | undefined>,
): Promise<Suspect[]> {
  const attempts: Suspect[] = [];
  for (const { suspect, size } of present) {
    const { index, block } = suspect;
    if (size === block.length) attempts.push(suspect);
    else if (size === 0) resolutions.push({ index, block: emptyBlock });
    else {
      const room = await findRoom(index, size);
      if (room === undefined) resolutions.push({ index, problem: failedTwice(true) });
      else attempts.push({ ...suspect, block: room });
    }
  }
  return attempts;
}

/** Reads all, reports each that has an outcome, and returns those that failed with −1 again. */
async function retry(
  engine: BatchCalls,
  attempts: readonly Suspect[],
  report: (index: number, problem: ProblemError | undefined) => void,
): Promise<Suspect[]> {
  if (attempts.length === 0) return [];
  const blocks = attempts.map(({ block }) => block);
  const codes = await engine.get(keysOf(attempts), blocks);
  return attempts.filter(({ index }, n) => {
    const code = codes[n] as number;
    if (code === MMC_ERROR) return true;
    report(index, code === 0 ? undefined : problemOfCode('read', code));
    return false;
  });
}

const keysOf = (suspects: readonly Suspect[]): string[] => suspects.map(({ key }) => key);

const UNREADABLE = 'The object exists, but the engine failed twice to read it. Try again.';

const failedTwice = (changed: boolean): ProblemError =>
  changed
    ? problemOfCode('read', MMC_ERROR, 'object-changed')
    : problemOfCode('read', MMC_ERROR, 'read-not-trusted', UNREADABLE);
