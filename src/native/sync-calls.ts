import type { CallArguments } from './call-arguments.ts';
import type { Canaries } from './canaries.ts';
import {
  LOCK_TIMEOUT,
  MMC_CLIENT_NOT_INIT,
  MMC_INVALID_PARAM,
  MMC_OK,
  UNTRUSTED_READ,
} from './codes.ts';
import type { EngineContext, Slot } from './engine-context.ts';
import { asNative } from './native-block.ts';
import type { Block, DataInfo, EngineOperation, PutOptions, Replica, SyncCalls } from './types.ts';

const noReplicas: Replica[] = [];

/**
 * Calls on the JavaScript thread. This is the path of small reads: it allocates nothing, times
 * nothing unless somebody listens, and sends keys and structs through one slot's memory.
 * Slow reads need no distrust here: such an engine pins what is being read and has no leases.
 *
 * `limitLockWaits` keeps a stopped process that holds a lock from stopping this thread: the engine
 * then answers LOCK_TIMEOUT, has changed nothing, and the caller makes the asynchronous call.
 */
export class DirectCalls implements SyncCalls {
  readonly info: DataInfo = { valid: false, size: 0, replicas: noReplicas };
  readonly #context: EngineContext;
  readonly #args: CallArguments;
  readonly #canaries: Canaries;
  #closed = false;

  constructor(context: EngineContext, slot: Slot) {
    this.#context = context;
    this.#args = slot.args;
    this.#canaries = slot.canaries;
  }

  /** From now on every call answers MMC_CLIENT_NOT_INIT without reaching the library. */
  close(): void {
    this.#closed = true;
  }

  query(key: string): number | undefined {
    const code = this.#query(key);
    this.info.replicas = noReplicas;
    return code;
  }

  queryFull(key: string): number | undefined {
    const code = this.#query(key);
    this.info.replicas = this.info.valid ? this.#args.infoReplicas(0) : noReplicas;
    return code;
  }

  get(key: string, block: Block, length: number): number | undefined {
    const { memory, start } = checkLength(block, length);
    const refusal = this.#begin(key);
    if (refusal !== MMC_OK) return refusal;
    const args = this.#args;
    const canaries = this.#canaries;
    args.setBuffer(0, asNative(block), length);
    canaries.renew();
    for (const attempt of attempts) {
      canaries.plant(memory, start, length, attempt);
      const since = this.#now();
      const code = this.#context.functions.mmcc_get(args.keys, args.structs, 0);
      if (code === LOCK_TIMEOUT) return undefined;
      this.#report('get', code, since, code === MMC_OK ? length : 0);
      if (code !== MMC_OK || !canaries.leftInPlace(memory, start, length, attempt)) return code;
    }
    return UNTRUSTED_READ;
  }

  put(key: string, block: Block, length: number, options: PutOptions): number | undefined {
    checkLength(block, length);
    const refusal = this.#begin(key);
    if (refusal !== MMC_OK) return refusal;
    const args = this.#args;
    if (!args.setOptions(options)) return MMC_INVALID_PARAM;
    args.setBuffer(0, asNative(block), length);
    args.clearResults(1);
    const since = this.#now();
    // A batch of one: koffi takes a microsecond for a struct by value, as mmcc_put has its options.
    const { mmcc_batch_put } = this.#context.functions;
    const { pointers, structs, options: optionsAt, results } = args;
    const code = args.itemCode(mmcc_batch_put(pointers, 1, structs, optionsAt, 0, results));
    if (code === LOCK_TIMEOUT) return undefined;
    this.#report('put', code, since, code === MMC_OK ? length : 0);
    return code;
  }

  exist(key: string): number | undefined {
    const refusal = this.#begin(key);
    if (refusal !== MMC_OK) return refusal;
    const since = this.#now();
    const code = this.#context.functions.mmcc_exist(this.#args.keys, 0);
    if (code === LOCK_TIMEOUT) return undefined;
    this.#report('exist', code, since, 0);
    return code;
  }

  remove(key: string): number | undefined {
    const refusal = this.#begin(key);
    if (refusal !== MMC_OK) return refusal;
    const since = this.#now();
    const code = this.#context.functions.mmcc_remove(this.#args.keys, 0);
    if (code === LOCK_TIMEOUT) return undefined;
    this.#report('remove', code, since, 0);
    return code;
  }

  #query(key: string): number | undefined {
    const info = this.info;
    info.valid = false;
    info.size = 0;
    const refusal = this.#begin(key);
    if (refusal !== MMC_OK) return refusal;
    const args = this.#args;
    args.clearInfos(1);
    const since = this.#now();
    const code = this.#context.functions.mmcc_query(args.keys, args.structs, 0);
    if (code === LOCK_TIMEOUT) return undefined;
    this.#report('query', code, since, 0);
    // A success that wrote nothing is no answer.
    if (code === MMC_OK && !args.infoWritten(0)) return -1;
    if (args.infoValid(0)) {
      info.valid = true;
      info.size = args.infoSize(0);
    }
    return code;
  }

  #begin(key: string): number {
    if (this.#closed) return MMC_CLIENT_NOT_INIT;
    return this.#args.setKey(key) ? MMC_OK : MMC_INVALID_PARAM;
  }

  #now(): number {
    return this.#context.onCall === undefined ? 0 : performance.now();
  }

  #report(operation: EngineOperation, code: number, since: number, bytes: number): void {
    const { onCall } = this.#context;
    if (onCall !== undefined) onCall(operation, code, performance.now() - since, bytes);
  }
}

const attempts = [0, 1] as const;

function checkLength(block: Block, length: number): { memory: Uint8Array; start: number } {
  if (!Number.isInteger(length) || length < 1 || length > block.length) {
    throw new RangeError(`${length} bytes of a block of ${block.length}`);
  }
  return asNative(block);
}
