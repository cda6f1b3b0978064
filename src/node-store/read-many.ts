import { MMC_ERROR, MMC_INVALID_PARAM, MMC_OK, MMC_UNMATCHED_KEY } from '../errors/engine-codes.ts';
import type { DataInfo } from '../native/abi/types.ts';
import { asError, failed, type ItemResult, type Outcome } from './item-results.ts';
import { askBatch } from './store-batches.ts';
import { readObjects, readWhole, type StoreSession } from './store-session.ts';

type Value = ItemResult<{ value: Buffer | undefined }>;

/** For each key its information, undefined for a missing one, or why there is none. */
export async function queryMany(
  { scheduler }: StoreSession,
  keys: readonly string[],
): Promise<(DataInfo | Outcome | undefined)[]> {
  const ask = async (part: string[]) => {
    const { codes, infos } = await scheduler.batches.of().query(part);
    return infos.map((info, at) => {
      const code = codes[at] as number;
      if (code !== MMC_OK && code !== MMC_UNMATCHED_KEY) return code;
      return info.valid ? info : undefined;
    });
  };
  return askBatch<DataInfo | number | undefined, Error>(keys, MMC_INVALID_PARAM, ask, asError);
}

export const isFailure = (info: DataInfo | Outcome | undefined): info is Outcome =>
  typeof info === 'number' || info instanceof Error;

/** Each value as a copy, undefined for a missing object. */
export async function readMany(session: StoreSession, keys: readonly string[]): Promise<Value[]> {
  const { operation } = session;
  const infos = await queryMany(session, keys);
  const targets = infos.map((info) =>
    Buffer.allocUnsafeSlow(info === undefined || isFailure(info) ? 0 : info.size),
  );
  const pieces = targets.map((target) => [target]);
  const outcomes = await readObjects(session, keys, pieces, asError);
  return Promise.all(
    infos.map(async (info, at): Promise<Value> => {
      if (info === undefined) return { ok: true, value: undefined };
      if (isFailure(info)) return failed(info, operation);
      const outcome = outcomes[at] as Outcome;
      if (outcome === MMC_OK) return { ok: true, value: targets[at] };
      // Removed or replaced since the query.
      if (outcome === MMC_ERROR) return readAgain(session, keys[at] as string);
      return failed(outcome, operation);
    }),
  );
}

async function readAgain(session: StoreSession, key: string): Promise<Value> {
  try {
    const read = await readWhole(session, key);
    if (typeof read !== 'number') return { ok: true, value: read };
    if (read === MMC_UNMATCHED_KEY) return { ok: true, value: undefined };
    return failed(read, session.operation);
  } catch (error) {
    return failed(asError(error), session.operation);
  }
}
