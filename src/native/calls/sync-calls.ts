import {
  LOCK_TIMEOUT,
  MMC_CLIENT_NOT_INIT,
  MMC_INVALID_PARAM,
  MMC_OK,
  UNTRUSTED_READ,
} from '../../errors/engine-codes.ts';
import type { Address } from '../../os/libc.ts';
import type {
  Block,
  DataInfo,
  EngineOperation,
  PutOptions,
  Replica,
  SyncCalls,
} from '../abi/types.ts';
import { asNative } from '../arena/native-block.ts';
import type { CallArguments } from './call-arguments.ts';
import type { Canaries } from './canaries.ts';
import type { CallMemory, EngineContext } from './engine-context.ts';

const noReplicas: Replica[] = [];

/**
 * Calls on the JavaScript thread, the path of small reads. They allocate nothing, measure time only
 * with an observer, and pass keys and structs through their own argument memory. Slow reads are
 * trusted here: such an engine pins objects during a read and has no leases.
 *
 * `limitLockWaits` limits waits for locks; otherwise a stopped process that holds a lock would block
 * this thread. After the limit the engine returns LOCK_TIMEOUT and has changed nothing, and the caller
 * makes the asynchronous call.
 */
export class DirectCalls implements SyncCalls {
  readonly info: DataInfo = { valid: false, size: 0, replicas: noReplicas };
  readonly #context: EngineContext;
  readonly #args: CallArguments;
  readonly #canaries: Canaries;
  #closed = false;

  constructor(context: EngineContext, { args, canaries }: CallMemory) {
    this.#context = context;
    this.#args = args;
    this.#canaries = canaries;
  }

  /** From now on every call returns MMC_CLIENT_NOT_INIT without calling the library. */
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
      this.#report('get', code, since);
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
    // A batch of one: mmcc_put takes its options by value, and koffi needs a microsecond to copy a struct.
    const { mmcc_batch_put } = this.#context.functions;
    const { pointers, structs, options: optionsAt, results } = args;
    const code = args.itemCode(mmcc_batch_put(pointers, 1, structs, optionsAt, 0, results));
    if (code === LOCK_TIMEOUT) return undefined;
    this.#report('put', code, since);
    return code;
  }

  exist(key: string): number | undefined {
    return this.#call('exist', this.#context.functions.mmcc_exist, key);
  }

  remove(key: string): number | undefined {
    return this.#call('remove', this.#context.functions.mmcc_remove, key);
  }

  /** A call that takes only a key. */
  #call(
    operation: 'exist' | 'remove',
    engineCall: (key: Address, flags: number) => number,
    key: string,
  ): number | undefined {
    const refusal = this.#begin(key);
    if (refusal !== MMC_OK) return refusal;
    const since = this.#now();
    const code = engineCall(this.#args.keys, 0);
    if (code === LOCK_TIMEOUT) return undefined;
    this.#report(operation, code, since);
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
    this.#report('query', code, since);
    // A success that wrote nothing is not a result.
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

  #report(operation: EngineOperation, code: number, since: number): void {
    const { onCall } = this.#context;
    if (onCall !== undefined) onCall(operation, code, performance.now() - since);
  }
}

const attempts = [0, 1] as const;

function checkLength(block: Block, length: number): { memory: Uint8Array; start: number } {
  if (!Number.isInteger(length) || length < 1 || length > block.length) {
    throw new RangeError(`${length} bytes of a block of ${block.length}`);
  }
  return asNative(block);
}
