import type {
  Arena,
  Block,
  DataInfo,
  EngineClient,
  PutOptions,
  Replaced,
  Returned,
} from '../native/types.ts';
import { type Caller, hasLeft } from './arena-room.ts';
import { callShares } from './call-shares.ts';
import type { Breaker } from './circuit.ts';
import { ClientGoneError } from './client-gone.ts';
import { freshWish, Lane, type Wish } from './lane.ts';

/** The engine, as batch requests may use it. */
export interface BatchCalls {
  readonly arena: Arena;
  batchQuery(keys: readonly string[]): Promise<{ code: number; infos: DataInfo[] }>;
  batchExist(keys: readonly string[]): Promise<ItemResults>;
  batchRemove(keys: readonly string[]): Promise<ItemResults>;
  batchGet(keys: readonly string[], blocks: readonly Block[]): Promise<ItemResults>;
  batchPut(
    keys: readonly string[],
    blocks: readonly Block[],
    options: PutOptions,
  ): Promise<ItemResults>;
  /** In one turn among those that move values, so that nobody else's call comes in between. */
  batchReplace(
    keys: readonly string[],
    blocks: readonly Block[],
    options: PutOptions,
  ): Promise<Replaced>;
}

export interface ItemResults {
  readonly results: Int32Array;
}

export interface SharedBatchCalls {
  /** For one request; a caller that has left when its turn comes makes no call. */
  of(caller?: Caller): BatchCalls;
  /** Calls that wait for their turn. */
  readonly waiting: number;
  readonly breakers: readonly Breaker[];
}

interface CallWish extends Wish {
  readonly serve: (returned: Returned) => Promise<void>;
}

/** With fewer, the kinds of batch calls take turns, so that not all slots are theirs. */
const SLOTS_FOR_BOTH = 3;

/**
 * The engine calls of batch requests, in order of coming. They have a share of the client's call
 * slots: one for those that move values, another for those that only ask, so that neither holds up
 * the other, nor both of them a single operation. A call has its place until the engine is done with
 * it; its deadline is for waiting and being served (lane.ts).
 */
export function sharedBatchCalls(engine: EngineClient): SharedBatchCalls {
  const { slots } = engine.calls();
  const shares = callShares(slots);
  const lane = (operation: string, callsInFlight: number): Lane<CallWish> =>
    new Lane({
      operation,
      callsInFlight,
      keysPerCall: 1,
      bytesPerCall: 0,
      deadlineMs: engine.deadlineMs,
      send: ([wish], returned) => (wish as CallWish).serve(returned),
    });
  const asking = lane('batch', shares.asking);
  const moving = slots < SLOTS_FOR_BOTH ? asking : lane('batch', shares.large);
  const lanes = new Set([asking, moving]);

  return {
    of: (caller) => ({
      arena: engine.arena,
      batchQuery: (keys) => inTurn(asking, caller, (returned) => engine.batchQuery(keys, returned)),
      batchExist: (keys) => inTurn(asking, caller, (returned) => engine.batchExist(keys, returned)),
      batchRemove: (keys) =>
        inTurn(asking, caller, (returned) => engine.batchRemove(keys, returned)),
      batchGet: (keys, blocks) =>
        inTurn(moving, caller, (returned) => engine.batchGet(keys, blocks, returned)),
      batchPut: (keys, blocks, options) =>
        inTurn(moving, caller, (returned) => engine.batchPut(keys, blocks, options, returned)),
      batchReplace: (keys, blocks, options) =>
        inTurn(moving, caller, (returned) => engine.batchReplace(keys, blocks, options, returned)),
    }),
    get waiting() {
      return [...lanes].reduce((sum, { waiting }) => sum + waiting, 0);
    },
    breakers: [...lanes],
  };
}

function inTurn<Answer>(
  lane: Lane<CallWish>,
  caller: Caller | undefined,
  call: (returned: Returned) => Promise<Answer>,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const wish: CallWish = {
      ...freshWish,
      bytes: 0,
      reject,
      async serve(returned) {
        const answer = await call(returned);
        if (lane.settle(wish)) resolve(answer);
      },
      // Asked only of a call that waits for its turn: it costs a system call.
      ...(lane.full &&
        caller !== undefined && {
          abandoned: () => (hasLeft(caller) ? new ClientGoneError() : undefined),
        }),
    };
    lane.add(wish);
  });
}
