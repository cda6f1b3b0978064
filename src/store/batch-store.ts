import type { EngineClient } from '../native/types.ts';
import type { Caller } from './arena-room.ts';
import { askForKeys, type ItemCodes, type ItemInfos, queryKeys } from './batch-keys.ts';
import { planRead, type ReadPlan, type ReadWindow, readWindow } from './batch-read.ts';
import { BatchWriter } from './batch-writer.ts';
import type { ObjectStore } from './object-store.ts';

/** Many objects at a time. What concerns one of them is its own problem, and no other's. */
export interface BatchStore {
  exists(keys: readonly string[]): Promise<ItemCodes>;
  remove(keys: readonly string[]): Promise<ItemCodes>;
  stat(keys: readonly string[]): Promise<ItemInfos>;
  planRead(keys: readonly string[]): Promise<ReadPlan>;
  readWindow(plan: ReadPlan, from: number, caller?: Caller): Promise<ReadWindow>;
  writer(limits: WriterLimits, caller?: Caller): BatchWriter;
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
  const context = { engine, arenaWaitMs };
  return {
    exists: (keys) => askForKeys(engine, 'exists', keys),
    async remove(keys) {
      try {
        return await askForKeys(engine, 'remove', keys);
      } finally {
        for (const key of keys) store.changed(key, undefined);
      }
    },
    stat: (keys) => queryKeys(engine, 'stat', keys),
    planRead: (keys) => planRead(context, keys),
    readWindow: (plan, from, caller) => readWindow(context, plan, from, caller),
    writer: ({ maxObjectBytes, unsizedBytes }, caller) =>
      new BatchWriter({ engine, store, maxObjectBytes, unsizedBytes, caller }),
  };
}
