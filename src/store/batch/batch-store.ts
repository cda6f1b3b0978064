import type { ProblemError } from '../../errors/problems.ts';
import type { DataInfo } from '../../native/abi/types.ts';
import type { Caller } from '../../scheduler/arena-room.ts';
import type { BatchQueues } from '../../scheduler/batch-calls.ts';
import { askForKeys, type ItemCodes, type ItemInfos, queryKeys } from '../ask-keys.ts';
import { countLeading } from '../leading-keys.ts';
import type { ObjectStore } from '../object-store.ts';
import { planRead, type ReadPlan, type ReadWindow, readWindow } from '../read-objects.ts';
import { BatchWriter } from './batch-writer.ts';

/** Many objects at a time. A problem of one object does not affect the others. */
export interface BatchStore {
  exists(keys: readonly string[], caller?: Caller): Promise<ItemCodes>;
  /** The number of keys, from the first on, whose objects can be read (leading-keys.ts). */
  countLeading(keys: readonly string[], caller?: Caller): Promise<number>;
  remove(keys: readonly string[]): Promise<ItemCodes>;
  stat(keys: readonly string[], caller?: Caller): Promise<ItemInfos>;
  planRead(keys: readonly string[], caller?: Caller): Promise<ReadPlan>;
  readWindow(plan: ReadPlan, from: number, caller?: Caller): Promise<ReadWindow>;
  writer(limits: WriterLimits, caller?: Caller): BatchWriter;
  /** Engine calls that wait in the queues of batches. */
  readonly waiting: number;
}

export interface WriterLimits {
  readonly maxObjectBytes: number;
  readonly unsizedBytes: number;
  /** The problem of a key that may not be written; undefined for others. */
  readonly refuse?: (key: string) => ProblemError | undefined;
}

/** `store` writes the objects that the engine refuses in a batch, one by one. */
export function batchStore(
  calls: Pick<BatchQueues, 'of' | 'waiting'>,
  store: ObjectStore,
  { arenaWaitMs }: { readonly arenaWaitMs: number },
): BatchStore {
  // Make a change even if the client has closed its connection: a part of it may already be made.
  const always = calls.of();
  return {
    exists: (keys, caller) => askForKeys(calls.of(caller), 'exists', keys),
    countLeading: (keys, caller) => countLeading(calls.of(caller), keys),
    async remove(keys) {
      try {
        return await askForKeys(always, 'remove', keys);
      } finally {
        for (const key of keys) store.changed(key, undefined);
      }
    },
    async stat(keys, caller) {
      const infos: DataInfo[] = [];
      const take = (_index: number, info: DataInfo) => void infos.push(info);
      return { infos, ...(await queryKeys(calls.of(caller), 'stat', keys, take)) };
    },
    planRead: (keys, caller) => planRead(calls.of(caller), keys),
    readWindow: (plan, from, caller) =>
      readWindow({ engine: calls.of(caller), arenaWaitMs }, plan, from, caller),
    writer: ({ maxObjectBytes, unsizedBytes, refuse }, caller) =>
      new BatchWriter({ engine: always, store, maxObjectBytes, unsizedBytes, refuse, caller }),
    get waiting() {
      return calls.waiting;
    },
  };
}
