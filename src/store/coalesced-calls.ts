import type { Block, DataInfo, EngineClient, PutOptions, Returned } from '../native/types.ts';
import { callShares } from './call-shares.ts';
import type { Breaker } from './circuit.ts';
import type { EngineCalls } from './engine-calls.ts';
import { freshWish, Lane, type Wish } from './lane.ts';

/** Larger values go alone, in a lane of their own: they would hold up the small ones beside them. */
const LARGE_BYTES = 256 * 1024;
const BYTES_PER_CALL = 4 * 1024 * 1024;
/** A batch of so many is quick enough that nobody waits long for it (engine.md §2 and §3). */
const KEYS_PER_CALL = 512;

interface KeyWish<Answer> extends Wish {
  readonly key: string;
  readonly resolve: (answer: Answer) => void;
}
interface BlockWish extends KeyWish<number> {
  readonly block: Block;
}
interface PutWish extends BlockWish {
  readonly options: PutOptions;
}
interface QueryAnswer {
  code: number;
  info: DataInfo;
}

/** Keys that went to the engine, the calls in which they went, and those that wait for one. */
export interface CoalescingCounts {
  readonly keys: number;
  readonly calls: number;
  readonly waiting: number;
}

export interface CoalescedCalls extends EngineCalls {
  counts(): CoalescingCounts;
  /** Of each kind of call. */
  readonly breakers: readonly Breaker[];
}

/**
 * The single operations of requests, sent to the engine in as few calls as there are opportunities
 * for (lane.ts). Each kind has its own lane, and large values another, so that of the client's call
 * slots some are always left for the quick ones. What the engine would refuse for a whole batch
 * (an over-long key, an empty value: engine.md §2) never comes here: routes check keys and lengths.
 */
export function coalescedCalls(engine: EngineClient): CoalescedCalls {
  const { slots } = engine.calls();
  const { deadlineMs } = engine;
  const shares = callShares(slots);
  const lanes: (Breaker & { readonly waiting: number })[] = [];
  let keys = 0;
  let calls = 0;

  function lane<W extends Wish>(
    operation: string,
    send: (wishes: readonly W[], returned: Returned, lane: Lane<W>) => Promise<void>,
    options: { callsInFlight?: number; fits?: (first: W, wish: W) => boolean } = {},
  ): Lane<W> {
    const created: Lane<W> = new Lane({
      operation,
      callsInFlight: shares.small,
      keysPerCall: KEYS_PER_CALL,
      bytesPerCall: BYTES_PER_CALL,
      deadlineMs,
      send: (wishes, returned) => {
        keys += wishes.length;
        calls += 1;
        return send(wishes, returned, created);
      },
      ...options,
    });
    lanes.push(created);
    return created;
  }

  const keyLane = (
    operation: 'exist' | 'remove',
    alone: (key: string, returned: Returned) => Promise<number>,
    together: (keys: readonly string[], returned: Returned) => Promise<{ results: Int32Array }>,
  ): Lane<KeyWish<number>> =>
    lane(operation, async (wishes, returned, self) => {
      const [only] = wishes;
      const answers =
        wishes.length === 1 && only !== undefined
          ? [await alone(only.key, returned)]
          : (await together(keysOf(wishes), returned)).results;
      settleAll(self, wishes, answers);
    });
  const exist = keyLane(
    'exist',
    (key, returned) => engine.exist(key, returned),
    (all, returned) => engine.batchExist(all, returned),
  );
  const remove = keyLane(
    'remove',
    (key, returned) => engine.remove(key, returned),
    (all, returned) => engine.batchRemove(all, returned),
  );

  const query = lane<KeyWish<QueryAnswer>>('query', async (wishes, returned, self) => {
    const [only] = wishes;
    if (wishes.length === 1 && only !== undefined) {
      const answer = await engine.query(only.key, returned);
      if (self.settle(only)) only.resolve(answer);
      return;
    }
    const { code, infos } = await engine.batchQuery(keysOf(wishes), returned);
    wishes.forEach((wish, at) => {
      if (self.settle(wish)) wish.resolve({ code, info: infos[at] as DataInfo });
    });
  });

  const sendGets = async (
    wishes: readonly BlockWish[],
    returned: Returned,
    self: Lane<BlockWish>,
  ): Promise<void> => {
    const [only] = wishes;
    const answers =
      wishes.length === 1 && only !== undefined
        ? [(await engine.get(only.key, only.block, only.block.length, returned)).code]
        : (await engine.batchGet(keysOf(wishes), blocksOf(wishes), returned)).results;
    settleAll(self, wishes, answers);
  };
  const sendPuts = async (
    wishes: readonly PutWish[],
    returned: Returned,
    self: Lane<PutWish>,
  ): Promise<void> => {
    const [first] = wishes as readonly [PutWish];
    const { key, block, bytes, options } = first;
    const answers =
      wishes.length === 1
        ? [await engine.put(key, block, bytes, options, returned)]
        : (await engine.batchPut(keysOf(wishes), blocksOf(wishes), options, returned)).results;
    settleAll(self, wishes, answers);
  };
  const get = lane('get', sendGets);
  const put = lane('put', sendPuts, { fits: canShareCall });
  const alone = { callsInFlight: shares.large, fits: () => false };
  const largeGet = lane('get', sendGets, alone);
  const largePut = lane('put', sendPuts, alone);

  return {
    query: (key) =>
      new Promise((resolve, reject) => {
        query.add({ key, bytes: 0, resolve, reject, ...freshWish });
      }),
    exist: (key) =>
      new Promise((resolve, reject) => {
        exist.add({ key, bytes: 0, resolve, reject, ...freshWish });
      }),
    remove: (key) =>
      new Promise((resolve, reject) => {
        remove.add({ key, bytes: 0, resolve, reject, ...freshWish });
      }),
    get: (key, block) =>
      new Promise((resolve, reject) => {
        const bytes = block.length;
        const to = bytes > LARGE_BYTES ? largeGet : get;
        to.add({ key, bytes, block, resolve, reject, ...freshWish });
      }),
    put: (key, block, bytes, options) =>
      new Promise((resolve, reject) => {
        const to = bytes > LARGE_BYTES ? largePut : put;
        to.add({ key, bytes, block, options, resolve, reject, ...freshWish });
      }),
    counts: () => ({
      keys,
      calls,
      waiting: lanes.reduce((sum, { waiting }) => sum + waiting, 0),
    }),
    breakers: lanes,
  };
}

function settleAll<W extends KeyWish<number>>(
  lane: Lane<W>,
  wishes: readonly W[],
  answers: ArrayLike<number>,
): void {
  wishes.forEach((wish, at) => {
    if (lane.settle(wish)) wish.resolve(answers[at] as number);
  });
}

const keysOf = (wishes: readonly { readonly key: string }[]): string[] =>
  wishes.map(({ key }) => key);
const blocksOf = (wishes: readonly BlockWish[]): Block[] => wishes.map(({ block }) => block);

/** One call has one set of options, and takes blocks as a whole. */
function canShareCall(first: PutWish, wish: PutWish): boolean {
  if (first.bytes !== first.block.length || wish.bytes !== wish.block.length) return false;
  const { replicas, prefer } = first.options;
  return (
    replicas === wish.options.replicas &&
    prefer.length === wish.options.prefer.length &&
    prefer.every((id, at) => id === wish.options.prefer[at])
  );
}
