import { randomUUID } from 'node:crypto';
import { codeName, MMC_DUPLICATED_OBJECT, MMC_ERROR } from '../errors/engine-codes.ts';
import { ProblemError } from '../errors/problems.ts';
import type { Block, PutOptions } from '../native/abi/types.ts';
import { excessOf } from './admission.ts';
import { problemOfCode } from './engine-problem.ts';
import type { WriteContext, WriteItem } from './write-objects.ts';

/** Bytes of the object of a trial: at most a page, so that its code does not depend on a size. */
export const TRIAL_BYTES = 4096;

/**
 * The key of all trials of this process. If the remove of a trial fails, the next trial finds the
 * object and removes it. Trials that run at the same time do not disturb each other, since −3006 also
 * shows that there was room.
 */
const trialKey = `memcache-gateway/placement/${randomUUID()}`;

/**
 * Explains the −1 of a put (docs/decisions/0003-explaining-a-refused-put.md) with a small object: it is
 * put with the same placement, and then with none. Returns when there is room for the small object; the
 * value itself may then find room too.
 * @throws ProblemError `pool-too-small`, `placement-impossible`, `no-room`
 */
export async function requireAnyRoom(context: WriteContext, item: WriteItem): Promise<void> {
  const { poolBytes, options } = context;
  const excess = poolBytes && excessOf(item.block.length, options.replicas, poolBytes);
  if (excess !== undefined) {
    // `problemOfCode` keeps what it creates, and this detail has a number of the client in it.
    throw new ProblemError('pool-too-small', {
      code: MMC_ERROR,
      name: codeName(MMC_ERROR),
      detail: excess.detail,
    });
  }
  if (await canPutSmall(context, item, options)) return;
  const isPlaced = options.replicas > 1 || options.prefer.length > 0;
  if (isPlaced && (await canPutSmall(context, item, { replicas: 1, prefer: [] }))) {
    throw problemOfCode('write', MMC_ERROR, 'placement-impossible');
  }
  throw problemOfCode('write', MMC_ERROR, 'no-room');
}

/**
 * There was no room beside the object that is to be replaced. That object may be removed only if the
 * space it frees is enough for the new one. Where the size of the pool is known, it is enough that the
 * new one fits the pool. @throws ProblemError as `requireAnyRoom`
 */
export async function requireReplaceable(context: WriteContext, item: WriteItem): Promise<void> {
  const { engine, options, poolBytes } = context;
  await requireAnyRoom(context, item);
  if (poolBytes !== undefined) return;
  const { infos } = await engine.query([item.key]);
  const info = infos[0];
  if (info?.valid !== true) return;
  const freed = info.size * Math.max(1, info.replicas.length);
  if (item.block.length * options.replicas <= freed) return;
  throw problemOfCode('write', MMC_ERROR, 'no-room', NO_ROOM_TO_REPLACE);
}

const NO_ROOM_TO_REPLACE =
  'There is no room for the new object, and the existing object, which is unchanged, is smaller.';

/** The problem of a value that was refused again after `requireAnyRoom` had found room. */
export const unexplained = ({ length }: Block): ProblemError =>
  length > TRIAL_BYTES
    ? problemOfCode('write', MMC_ERROR, 'no-room')
    : problemOfCode('write', MMC_ERROR, 'engine-error', UNEXPLAINED);

const UNEXPLAINED =
  'The engine refused the object twice without a reason, but stored another one of its size in between.';

/** Puts the beginning of the value under the key of trials, and removes it. */
async function canPutSmall(
  { engine }: WriteContext,
  { block }: WriteItem,
  options: PutOptions,
): Promise<boolean> {
  const trial = block.slice(0, Math.min(block.length, TRIAL_BYTES));
  try {
    const [code] = (await engine.put([trialKey], [trial], options)) as unknown as [number];
    if (code === MMC_ERROR) return false;
    if (code !== 0 && code !== MMC_DUPLICATED_OBJECT) throw problemOfCode('write', code);
    // There is room, whether the remove succeeds or not.
    await engine.remove([trialKey]).catch(() => undefined);
    return true;
  } finally {
    trial.release();
  }
}
