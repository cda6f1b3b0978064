import type { Block, DataInfo, PutOptions } from '../native/abi/types.ts';
import type { NativeCalls } from '../native/calls/native-calls.ts';
import { type CallLimit, fixedLimit, MeasuredLimit } from './call-limit.ts';
import {
  CallQueue,
  type CallQueueOptions,
  type PendingCall,
  type Send,
  unsubmitted,
} from './call-queue.ts';
import type { Dispatcher } from './dispatcher.ts';
import type { EngineCalls, KeyInfo } from './engine-calls.ts';

/** Larger values have a queue of their own and share no call: they would delay small ones. */
const LARGE_BYTES = 256 * 1024;
/** Limit of one call for small operations: it is then fast enough that no request waits long for it. */
const MAX_SHARED_BYTES = 4 * 1024 * 1024;
const MAX_SHARED_KEYS = 512;

interface PendingKey<Result> extends PendingCall {
  readonly key: string;
  readonly resolve: (result: Result) => void;
}
interface PendingValue extends PendingKey<number> {
  readonly block: Block;
}
interface PendingPut extends PendingValue {
  readonly options: PutOptions;
}

/** With coalescing: keys that were sent to the engine, the calls for them, and keys that wait for one. */
export interface CoalescingCounts {
  readonly keys: number;
  readonly calls: number;
  readonly waiting: number;
}

export interface SingleCallsOptions {
  /** Whether operations of one kind share engine calls. */
  readonly coalescing: boolean;
  /** Calls in flight of each kind: for small values, and for values of more than 256 KiB. */
  readonly small: number;
  readonly large: number;
  /** The most calls in flight of each kind for small values, if measurements show that they help. */
  readonly smallMost: number;
  /** Calls in flight of each kind for small values, without measurements; for benchmarks. */
  readonly fixedSmall?: number | undefined;
}

/**
 * Operations on one key each. With `coalescing`, waiting operations of one kind share an engine call of
 * at most 512 keys and 4 MiB. The caller must not pass a key that the engine refuses (0 or more than 255
 * bytes): all requests of its call would fail.
 */
export class SingleCalls implements EngineCalls {
  readonly queues: readonly CallQueue[];
  readonly #dispatcher: Dispatcher;
  readonly #options: SingleCallsOptions;
  readonly #queries: CallQueue<PendingKey<KeyInfo>>;
  readonly #exists: CallQueue<PendingKey<number>>;
  readonly #removes: CallQueue<PendingKey<number>>;
  readonly #gets: CallQueue<PendingValue>;
  readonly #puts: CallQueue<PendingPut>;
  readonly #largeGets: CallQueue<PendingValue>;
  readonly #largePuts: CallQueue<PendingPut>;
  #keys = 0;
  #calls = 0;

  constructor(dispatcher: Dispatcher, engine: NativeCalls, options: SingleCallsOptions) {
    this.#dispatcher = dispatcher;
    this.#options = options;
    const get = withCodes((all: readonly PendingValue[]) => engine.get(keysOf(all), blocksOf(all)));
    const put = withCodes((all: readonly PendingPut[]) =>
      engine.put(keysOf(all), blocksOf(all), (all[0] as PendingPut).options),
    );
    this.#queries = this.#small('query', async (all) => {
      const { codes, infos } = await engine.query(keysOf(all));
      return ({ resolve }, at) =>
        resolve({ code: codes[at] as number, info: infos[at] as DataInfo });
    });
    this.#exists = this.#small(
      'exist',
      withCodes((all) => engine.exist(keysOf(all))),
    );
    this.#removes = this.#small(
      'remove',
      withCodes((all) => engine.remove(keysOf(all))),
    );
    this.#gets = this.#small('get', get);
    this.#puts = this.#small('put', put, haveSameOptions);
    const large = { quota: options.large, maxRequests: 1 };
    this.#largeGets = this.#queue({ operation: 'get', ...large, send: get });
    this.#largePuts = this.#queue({ operation: 'put', ...large, send: put });
    this.queues = [
      ...[this.#queries, this.#exists, this.#removes, this.#gets, this.#puts],
      ...[this.#largeGets, this.#largePuts],
    ] as unknown as CallQueue[];
  }

  query(key: string): Promise<KeyInfo> {
    return this.#ask(this.#queries, key);
  }

  exist(key: string): Promise<number> {
    return this.#ask(this.#exists, key);
  }

  remove(key: string): Promise<number> {
    return this.#ask(this.#removes, key);
  }

  get(key: string, block: Block): Promise<number> {
    return new Promise((resolve, reject) => {
      const bytes = block.length;
      const queue = bytes > LARGE_BYTES ? this.#largeGets : this.#gets;
      this.#dispatcher.submit(queue, { key, bytes, block, resolve, reject, ...unsubmitted });
    });
  }

  async put(key: string, block: Block, bytes: number, options: PutOptions): Promise<number> {
    if (bytes === block.length) return this.#putWhole(key, block, options);
    // The engine uses the length of the block as the length of the value.
    const part = block.slice(0, bytes);
    try {
      return await this.#putWhole(key, part, options);
    } finally {
      part.release();
    }
  }

  #putWhole(key: string, block: Block, options: PutOptions): Promise<number> {
    return new Promise((resolve, reject) => {
      const bytes = block.length;
      const queue = bytes > LARGE_BYTES ? this.#largePuts : this.#puts;
      const call = { key, bytes, block, options, resolve, reject, ...unsubmitted };
      this.#dispatcher.submit(queue, call);
    });
  }

  counts(): CoalescingCounts {
    const waiting = this.queues.reduce((sum, queue) => sum + queue.waiting, 0);
    return { keys: this.#keys, calls: this.#calls, waiting };
  }

  /** For each kind of small operation: the limit of calls in flight that has been found. */
  limits(): Readonly<Record<string, number>> {
    const small = [this.#queries, this.#exists, this.#removes, this.#gets, this.#puts];
    return Object.fromEntries(small.map(({ operation, limit }) => [operation, limit.found]));
  }

  #ask<Result>(queue: CallQueue<PendingKey<Result>>, key: string): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#dispatcher.submit(queue, { key, bytes: 0, resolve, reject, ...unsubmitted });
    });
  }

  #small<Pending extends PendingCall>(
    operation: string,
    send: Send<Pending>,
    fits?: (first: Pending, other: Pending) => boolean,
  ): CallQueue<Pending> {
    const { coalescing, small } = this.#options;
    const maxRequests = coalescing ? MAX_SHARED_KEYS : 1;
    const limit = this.#smallLimit();
    return this.#queue({ operation, quota: small, maxRequests, limit, send, fits });
  }

  /** Without shared calls, each call serves one request whatever their number: there is nothing to find. */
  #smallLimit(): CallLimit | undefined {
    const { coalescing, small, smallMost, fixedSmall } = this.#options;
    if (fixedSmall !== undefined) return fixedLimit(fixedSmall);
    return coalescing && smallMost > small ? new MeasuredLimit(small, smallMost) : undefined;
  }

  #queue<Pending extends PendingCall>(
    options: Omit<CallQueueOptions<Pending>, 'maxBytes'>,
  ): CallQueue<Pending> {
    const queue = new CallQueue<Pending>({
      ...options,
      maxBytes: MAX_SHARED_BYTES,
      send: (all) => {
        if (this.#options.coalescing) {
          this.#keys += all.length;
          this.#calls += 1;
        }
        return options.send(all);
      },
    });
    return this.#dispatcher.register(queue);
  }
}

/** Sends a call that returns a code for each request. */
const withCodes =
  <Pending extends PendingKey<number>>(
    call: (all: readonly Pending[]) => Promise<Int32Array>,
  ): Send<Pending> =>
  async (all) => {
    const codes = await call(all);
    return ({ resolve }, at) => resolve(codes[at] as number);
  };

const keysOf = (all: readonly { readonly key: string }[]): string[] => all.map(({ key }) => key);
const blocksOf = (all: readonly PendingValue[]): Block[] => all.map(({ block }) => block);

/** One engine call has one set of options. */
function haveSameOptions({ options: first }: PendingPut, { options: other }: PendingPut): boolean {
  return (
    first.replicas === other.replicas &&
    first.prefer.length === other.prefer.length &&
    first.prefer.every((id, at) => id === other.prefer[at])
  );
}
