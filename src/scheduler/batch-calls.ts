import { ClientGoneError } from '../errors/client-gone.ts';
import type { Arena, Block, PutOptions } from '../native/abi/types.ts';
import type { NativeCalls, QueryResult, Replaced } from '../native/calls/native-calls.ts';
import { type Caller, hasLeft } from './arena-room.ts';
import { CallQueue, type PendingCall, unsubmitted } from './call-queue.ts';
import type { Dispatcher } from './dispatcher.ts';

/** Operations on at most 16,384 keys; each is one engine call. The results are one code for each key. */
export interface BatchCalls {
  readonly arena: Arena;
  query(keys: readonly string[]): Promise<QueryResult>;
  exist(keys: readonly string[]): Promise<Int32Array>;
  remove(keys: readonly string[]): Promise<Int32Array>;
  get(keys: readonly string[], blocks: readonly Block[]): Promise<Int32Array>;
  put(keys: readonly string[], blocks: readonly Block[], options: PutOptions): Promise<Int32Array>;
  /**
   * Removes objects and stores others in their place, in one turn. No other request can prevent the put of
   * a removed object, and the put happens even after this promise was rejected.
   */
  replace(
    keys: readonly string[],
    blocks: readonly Block[],
    options: PutOptions,
  ): Promise<Replaced>;
}

interface PendingBatch extends PendingCall {
  /** Resolves with a function that gives the request its result. */
  readonly serve: () => Promise<() => void>;
}

export interface BatchQueuesOptions {
  /** Calls in flight that read or remove keys, and those that move values; `shared` if both use one queue. */
  readonly asking: number;
  readonly moving: number | 'shared';
}

/**
 * The engine calls of batches, in order of arrival. Batches that move values have one queue and all
 * others have another, so that neither delays the other.
 */
export class BatchQueues {
  readonly queues: readonly CallQueue[];
  readonly #dispatcher: Dispatcher;
  readonly #arena: Arena;
  readonly #engine: NativeCalls;
  readonly #asking: CallQueue<PendingBatch>;
  readonly #moving: CallQueue<PendingBatch>;

  constructor(
    dispatcher: Dispatcher,
    engine: { readonly arena: Arena; readonly batchCalls: NativeCalls },
    options: BatchQueuesOptions,
  ) {
    this.#dispatcher = dispatcher;
    this.#arena = engine.arena;
    this.#engine = engine.batchCalls;
    this.#asking = this.#queue(options.asking);
    this.#moving = options.moving === 'shared' ? this.#asking : this.#queue(options.moving);
    this.queues = [...new Set([this.#asking, this.#moving])] as unknown as CallQueue[];
  }

  /** Calls that wait for their turn. */
  get waiting(): number {
    return this.queues.reduce((sum, queue) => sum + queue.waiting, 0);
  }

  /** For one request. If its client has disconnected when its turn comes, no call is made. */
  of(caller?: Caller): BatchCalls {
    const engine = this.#engine;
    const ask = <Result>(name: string, call: () => Promise<Result>) =>
      this.#inTurn(this.#asking, name, caller, call);
    const move = <Result>(name: string, call: () => Promise<Result>) =>
      this.#inTurn(this.#moving, name, caller, call);
    return {
      arena: this.#arena,
      query: (keys) => ask('batch_query', () => engine.query(keys)),
      exist: (keys) => ask('batch_exist', () => engine.exist(keys)),
      remove: (keys) => ask('batch_remove', () => engine.remove(keys)),
      get: (keys, blocks) => move('batch_get', () => engine.get(keys, blocks)),
      put: (keys, blocks, options) => move('batch_put', () => engine.put(keys, blocks, options)),
      replace: (keys, blocks, options) =>
        move('batch_replace', () => engine.replace(keys, blocks, options)),
    };
  }

  /** Makes any other call, in turn with those that move no values. */
  ask<Result>(
    operation: string,
    call: (engine: NativeCalls) => Promise<Result>,
    caller?: Caller,
  ): Promise<Result> {
    return this.#inTurn(this.#asking, operation, caller, () => call(this.#engine));
  }

  /** Makes any other call, in turn with those that move values. */
  move<Result>(operation: string, call: () => Promise<Result>, caller?: Caller): Promise<Result> {
    return this.#inTurn(this.#moving, operation, caller, call);
  }

  #queue(quota: number): CallQueue<PendingBatch> {
    const queue = new CallQueue<PendingBatch>({
      ...{ operation: 'batch', quota, maxRequests: 1, maxBytes: 0 },
      send: ([pending]) => (pending as PendingBatch).serve(),
    });
    return this.#dispatcher.register(queue);
  }

  #inTurn<Result>(
    queue: CallQueue<PendingBatch>,
    operation: string,
    caller: Caller | undefined,
    call: () => Promise<Result>,
  ): Promise<Result> {
    // Checked only for requests that wait, because it costs a system call.
    const isChecked = caller !== undefined && this.#dispatcher.mustWait(queue);
    // Checked now too: without Node's help, a descriptor can only be found while the connection exists.
    if (isChecked && hasLeft(caller)) return Promise.reject(new ClientGoneError());
    return new Promise((resolve, reject) => {
      const pending: PendingBatch = {
        ...unsubmitted,
        operation,
        bytes: 0,
        reject,
        serve: async () => {
          const result = await call();
          return () => resolve(result);
        },
        abandoned: isChecked
          ? () => (hasLeft(caller) ? new ClientGoneError() : undefined)
          : undefined,
      };
      this.#dispatcher.submit(queue, pending);
    });
  }
}
