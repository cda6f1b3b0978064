import type { DataInfo, EngineClient } from '../native/types.ts';
import type { Caller } from './arena-room.ts';
import { sharedBatchCalls } from './batch-calls.ts';
import { askForKeys, type ItemCodes, type ItemInfos, queryKeys } from './batch-keys.ts';
import { planRead, type ReadPlan, type ReadWindow, readWindow } from './batch-read.ts';
import { BatchWriter } from './batch-writer.ts';
import type { Breaker } from './circuit.ts';
import type { ObjectStore } from './object-store.ts';

/** Many objects at a time. What concerns one of them is its own problem, and no other's. */
export interface BatchStore {
  exists(keys: readonly string[], caller?: Caller): Promise<ItemCodes>;
  remove(keys: readonly string[]): Promise<ItemCodes>;
  stat(keys: readonly string[], caller?: Caller): Promise<ItemInfos>;
  planRead(keys: readonly string[], caller?: Caller): Promise<ReadPlan>;
  readWindow(plan: ReadPlan, from: number, caller?: Caller): Promise<ReadWindow>;
  writer(limits: WriterLimits, caller?: Caller): BatchWriter;
  /** Engine calls that wait for their turn. */
  readonly waiting: number;
  /** Of the kinds of calls that batches make. */
  readonly breakers: readonly Breaker[];
}

export interface WriterLimits {
  readonly maxObjectBytes: number;
  readonly unsizedBytes: number;
}

/** Beside the store for single objects, which explains and does what can't be done for many at once. */
export function batchStore(
  engine: EngineClient,
  store: ObjectStore,
  { arenaWaitMs }: { readonly arenaWaitMs: number },
): BatchStore {
  const calls = sharedBatchCalls(engine);
  // What changes something is done though its caller has left.
  const always = calls.of();
  return {
    exists: (keys, caller) => askForKeys(calls.of(caller), 'exists', keys),
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
    writer: ({ maxObjectBytes, unsizedBytes }, caller) =>
      new BatchWriter({ engine: always, store, maxObjectBytes, unsizedBytes, caller }),
    get waiting() {
      return calls.waiting;
    },
    breakers: calls.breakers,
  };
}
