import {
  MMC_ERROR,
  MMC_INVALID_PARAM,
  MMC_OK,
  MMC_UNMATCHED_KEY,
} from '../../errors/engine-codes.ts';
import type { Address } from '../../os/libc.ts';
import type { NativeFunction } from '../abi/abi.ts';
import type { Block, DataInfo, EngineOperation, PutOptions } from '../abi/types.ts';
import { allRetained, type NativeBlock } from '../arena/native-block.ts';
import { type CallArguments, noInfo } from './call-arguments.ts';
import type { CallMemoryPool } from './call-memory-pool.ts';
import { callNative } from './call-native.ts';
import type { CallMemory, EngineContext } from './engine-context.ts';
import { readVerified } from './verified-read.ts';

/** The code of each key (−3102 for a missing one), and the engine's information about it. */
export interface QueryResult {
  readonly codes: Int32Array;
  readonly infos: readonly DataInfo[];
}

export interface Replaced {
  /** The code of the remove of each item. */
  readonly removed: Int32Array;
  /** The codes of the puts, in order, for the items whose remove returned 0 or −3102. */
  readonly stored: Int32Array;
}

/** How calls for one key are made: with the engine's functions for single keys, or as batches of one. */
export type CallForm = 'single' | 'batch';

/**
 * The engine's asynchronous calls: they take keys, blocks and options, and return one code for each
 * key. If a call fails as a whole, every key gets its code. If a key cannot be a C string, all keys get
 * −3000. Each call holds its argument memory and its blocks until the engine returns.
 */
export class NativeCalls {
  readonly #context: EngineContext;
  readonly #pool: CallMemoryPool;
  readonly #form: CallForm;

  constructor(context: EngineContext, pool: CallMemoryPool, form: CallForm) {
    this.#context = context;
    this.#pool = pool;
    this.#form = form;
  }

  query(keys: readonly string[]): Promise<QueryResult> {
    return this.#run([], async ({ args }) => {
      const count = keys.length;
      if (!args.setKeys(keys)) {
        return { codes: refusedCodes(count), infos: keys.map(noInfo) };
      }
      args.clearInfos(count);
      const { mmcc_query, mmcc_batch_query } = this.#context.functions;
      const whole = this.#isSingle(count)
        ? await this.#call('query', mmcc_query, [args.keys, args.structs, 0])
        : await this.#call('batch_query', mmcc_batch_query, [
            ...([args.pointers, count, args.structs, 0] as const),
          ]);
      const codes = new Int32Array(count);
      const infos = new Array<DataInfo>(count);
      for (let at = 0; at < count; at++) {
        const info = args.info(at);
        // A success that wrote nothing is not a result.
        const missing = args.infoWritten(at) ? MMC_UNMATCHED_KEY : MMC_ERROR;
        codes[at] = whole !== MMC_OK ? whole : info.valid ? MMC_OK : missing;
        infos[at] = info;
      }
      return { codes, infos };
    });
  }

  exist(keys: readonly string[]): Promise<Int32Array> {
    return this.#run([], (memory) => this.#keyCall(memory, 'exist', keys));
  }

  remove(keys: readonly string[]): Promise<Int32Array> {
    return this.#run([], (memory) => this.#keyCall(memory, 'remove', keys));
  }

  /** Reads objects of exactly the lengths of the blocks. @throws RangeError for another number of blocks */
  async get(keys: readonly string[], blocks: readonly Block[]): Promise<Int32Array> {
    const retained = allRetained(keys, blocks);
    return this.#run(retained, ({ args, canaries }) =>
      readVerified(keys, retained, canaries, this.#context.slowReadMs, (some, into) =>
        this.#getCall(args, some, into),
      ),
    );
  }

  /** Stores all bytes of each block. @throws RangeError for another number of blocks */
  async put(
    keys: readonly string[],
    blocks: readonly Block[],
    options: PutOptions,
  ): Promise<Int32Array> {
    const retained = allRetained(keys, blocks);
    return this.#run(retained, (memory) => this.#putCall(memory, keys, retained, options));
  }

  /**
   * Removes objects and stores others in their place with the same argument memory, so that no other
   * call can prevent the put of a removed object. Objects that cannot be removed stay.
   */
  async replace(
    keys: readonly string[],
    blocks: readonly Block[],
    options: PutOptions,
  ): Promise<Replaced> {
    const retained = allRetained(keys, blocks);
    return this.#run(retained, async (memory) => {
      const removed = await this.#keyCall(memory, 'remove', keys);
      const isGone = (_: unknown, at: number): boolean =>
        removed[at] === MMC_OK || removed[at] === MMC_UNMATCHED_KEY;
      const gone = keys.filter(isGone);
      if (gone.length === 0) return { removed, stored: new Int32Array(0) };
      const stored = await this.#putCall(memory, gone, retained.filter(isGone), options);
      return { removed, stored };
    });
  }

  register(address: Address, bytes: number): Promise<number> {
    const { mmcc_register_buffer } = this.#context.functions;
    return this.#run([], () => callNative(mmcc_register_buffer, [address, bytes]));
  }

  unregister(address: Address, bytes: number): Promise<number> {
    const { mmcc_unregister_buffer } = this.#context.functions;
    return this.#run([], () => callNative(mmcc_unregister_buffer, [address, bytes]));
  }

  async #run<Result>(
    blocks: readonly NativeBlock[],
    call: (memory: CallMemory) => Promise<Result>,
  ): Promise<Result> {
    try {
      return await this.#pool.use(call);
    } finally {
      for (const block of blocks) block.release();
    }
  }

  #isSingle(count: number): boolean {
    return count === 1 && this.#form === 'single';
  }

  /** Reports the call to the observer, if there is one. */
  async #call<Arguments extends readonly unknown[]>(
    operation: EngineOperation,
    nativeFunction: NativeFunction<Arguments>,
    args: Arguments,
  ): Promise<number> {
    const start = performance.now();
    const code = await callNative(nativeFunction, args);
    this.#context.onCall?.(operation, code, performance.now() - start);
    return code;
  }

  async #keyCall(
    { args }: CallMemory,
    operation: 'exist' | 'remove',
    keys: readonly string[],
  ): Promise<Int32Array> {
    const count = keys.length;
    if (!args.setKeys(keys)) return refusedCodes(count);
    const { mmcc_exist, mmcc_remove, mmcc_batch_exist, mmcc_batch_remove } =
      this.#context.functions;
    const isExist = operation === 'exist';
    if (this.#isSingle(count)) {
      const code = await this.#call(operation, isExist ? mmcc_exist : mmcc_remove, [args.keys, 0]);
      return Int32Array.of(code);
    }
    args.clearResults(count);
    const whole = await this.#call(
      `batch_${operation}`,
      isExist ? mmcc_batch_exist : mmcc_batch_remove,
      [args.pointers, count, args.results, 0],
    );
    return args.itemCodes(count, whole);
  }

  async #putCall(
    { args }: CallMemory,
    keys: readonly string[],
    blocks: readonly NativeBlock[],
    options: PutOptions,
  ): Promise<Int32Array> {
    const count = keys.length;
    if (!args.setKeys(keys) || !args.setOptions(options)) return refusedCodes(count);
    args.setBuffers(blocks);
    const { mmcc_put, mmcc_batch_put } = this.#context.functions;
    if (this.#isSingle(count)) {
      const { keys: key, structs, optionsValue } = args;
      return Int32Array.of(await this.#call('put', mmcc_put, [key, structs, optionsValue, 0]));
    }
    args.clearResults(count);
    const { pointers, structs, results } = args;
    const whole = await this.#call('batch_put', mmcc_batch_put, [
      ...([pointers, count, structs, args.options, 0, results] as const),
    ]);
    return args.itemCodes(count, whole);
  }

  async #getCall(
    args: CallArguments,
    keys: readonly string[],
    blocks: readonly NativeBlock[],
  ): Promise<Int32Array> {
    const count = keys.length;
    if (!args.setKeys(keys)) return refusedCodes(count);
    args.setBuffers(blocks);
    const { mmcc_get, mmcc_batch_get } = this.#context.functions;
    if (this.#isSingle(count)) {
      return Int32Array.of(await this.#call('get', mmcc_get, [args.keys, args.structs, 0]));
    }
    args.clearResults(count);
    const { pointers, structs, results } = args;
    const whole = await this.#call('batch_get', mmcc_batch_get, [
      ...([pointers, count, structs, 0, results] as const),
    ]);
    return args.itemCodes(count, whole);
  }
}

const refusedCodes = (count: number): Int32Array => new Int32Array(count).fill(MMC_INVALID_PARAM);
