import type { Address } from './abi.ts';
import type { MemoryArena } from './arena.ts';
import type { CallBody, CallSlots } from './call-slots.ts';
import type { EngineContext, Slot } from './engine-context.ts';
import { allRetained, type NativeBlock, retained } from './native-block.ts';
import type { Probes } from './probes.ts';
import {
  type BatchReadResult,
  type BatchResult,
  batchGetOnSlot,
  batchKeysOnSlot,
  batchPutOnSlot,
  batchQueryOnSlot,
} from './slot-batches.ts';
import { callNative, getOnSlot, keyOnSlot, putOnSlot, queryOnSlot } from './slot-calls.ts';
import { batchReplaceOnSlot } from './slot-replace.ts';
import type { DirectCalls } from './sync-calls.ts';
import type {
  Block,
  CallResult,
  DataInfo,
  EngineClient,
  PutOptions,
  Replaced,
  Returned,
} from './types.ts';

export interface ClientParts {
  readonly library: string;
  readonly embedded: boolean;
  readonly device: number;
  readonly serviceId: number;
  readonly deadlineMs: number;
  readonly arena: MemoryArena;
  readonly context: EngineContext;
  readonly slots: CallSlots<Slot>;
  /** They have slots of their own, whatever the others do. */
  readonly probes: Probes;
  readonly sync: DirectCalls | undefined;
  /** Leaves the pool: true when the engine answered in time. */
  readonly leave: (deadlineMs: number) => Promise<boolean>;
}

/** The process's client of the engine (types.ts tells what each operation promises). */
export class Client implements EngineClient {
  readonly library: string;
  readonly embedded: boolean;
  readonly device: number;
  readonly serviceId: number;
  readonly deadlineMs: number;
  readonly arena: MemoryArena;
  readonly sync: DirectCalls | undefined;
  readonly #context: EngineContext;
  readonly #slots: CallSlots<Slot>;
  readonly #probes: Probes;
  readonly #leave: (deadlineMs: number) => Promise<boolean>;
  #closing: Promise<boolean> | undefined;

  constructor(parts: ClientParts) {
    this.library = parts.library;
    this.embedded = parts.embedded;
    this.device = parts.device;
    this.serviceId = parts.serviceId;
    this.deadlineMs = parts.deadlineMs;
    this.arena = parts.arena;
    this.sync = parts.sync;
    this.#context = parts.context;
    this.#slots = parts.slots;
    this.#probes = parts.probes;
    this.#leave = parts.leave;
  }

  get onCall(): EngineClient['onCall'] {
    return this.#context.onCall;
  }

  set onCall(observer: EngineClient['onCall']) {
    this.#context.onCall = observer;
  }

  query(key: string, returned?: Returned): Promise<{ code: number; info: DataInfo }> {
    return this.#run('query', [], returned, (slot, finish, fail) => {
      queryOnSlot(this.#context, slot, key, finish, fail);
    });
  }

  async get(key: string, block: Block, length: number, returned?: Returned): Promise<CallResult> {
    const memory = retained(block, length);
    return this.#run<CallResult>('get', [memory], returned, (slot, finish, fail) => {
      getOnSlot(this.#context, slot, key, memory, length, finish, fail);
    });
  }

  async put(
    key: string,
    block: Block,
    length: number,
    options: PutOptions,
    returned?: Returned,
  ): Promise<number> {
    const memory = retained(block, length);
    return this.#run<number>('put', [memory], returned, (slot, finish, fail) => {
      putOnSlot(this.#context, slot, key, memory, length, options, finish, fail);
    });
  }

  exist(key: string, returned?: Returned): Promise<number> {
    return this.#run('exist', [], returned, (slot, finish, fail) => {
      keyOnSlot(this.#context, slot, 'exist', key, finish, fail);
    });
  }

  remove(key: string, returned?: Returned): Promise<number> {
    return this.#run('remove', [], returned, (slot, finish, fail) => {
      keyOnSlot(this.#context, slot, 'remove', key, finish, fail);
    });
  }

  batchQuery(
    keys: readonly string[],
    returned?: Returned,
  ): Promise<{ code: number; infos: DataInfo[] }> {
    return this.#run('batch_query', [], returned, (slot, finish, fail) => {
      batchQueryOnSlot(this.#context, slot, keys, finish, fail);
    });
  }

  async batchGet(
    keys: readonly string[],
    blocks: readonly Block[],
    returned?: Returned,
  ): Promise<BatchReadResult> {
    const memory = allRetained(keys, blocks);
    return this.#run<BatchReadResult>('batch_get', memory, returned, (slot, finish, fail) => {
      batchGetOnSlot(this.#context, slot, keys, memory, finish, fail);
    });
  }

  async batchPut(
    keys: readonly string[],
    blocks: readonly Block[],
    options: PutOptions,
    returned?: Returned,
  ): Promise<BatchResult> {
    const memory = allRetained(keys, blocks);
    return this.#run<BatchResult>('batch_put', memory, returned, (slot, finish, fail) => {
      batchPutOnSlot(this.#context, slot, keys, memory, options, finish, fail);
    });
  }

  batchExist(keys: readonly string[], returned?: Returned): Promise<BatchResult> {
    return this.#run('batch_exist', [], returned, (slot, finish, fail) => {
      batchKeysOnSlot(this.#context, slot, 'exist', keys, finish, fail);
    });
  }

  batchRemove(keys: readonly string[], returned?: Returned): Promise<BatchResult> {
    return this.#run('batch_remove', [], returned, (slot, finish, fail) => {
      batchKeysOnSlot(this.#context, slot, 'remove', keys, finish, fail);
    });
  }

  async batchReplace(
    keys: readonly string[],
    blocks: readonly Block[],
    options: PutOptions,
    returned?: Returned,
  ): Promise<Replaced> {
    const memory = allRetained(keys, blocks);
    return this.#run<Replaced>('batch_replace', memory, returned, (slot, finish, fail) => {
      batchReplaceOnSlot(this.#context, slot, keys, memory, options, finish, fail);
    });
  }

  /** Makes memory outside the arena known to the engine: faster, and required for large remote copies. */
  registerMemory(address: Address, bytes: number): Promise<number> {
    const { mmcc_register_buffer } = this.#context.functions;
    return this.#slots.run('register', (_slot, finish, fail) => {
      callNative(mmcc_register_buffer, [address, bytes], finish, fail);
    });
  }

  unregisterMemory(address: Address, bytes: number): Promise<number> {
    const { mmcc_unregister_buffer } = this.#context.functions;
    return this.#slots.run('unregister', (_slot, finish, fail) => {
      callNative(mmcc_unregister_buffer, [address, bytes], finish, fail);
    });
  }

  probe(deadlineMs: number): Promise<void> {
    return this.#probes.run(deadlineMs, { toleratesFullPool: true });
  }

  calls(): { slots: number; inFlight: number; late: number; queued: number } {
    const { slots, inFlight, late, queued } = this.#slots.counts();
    const probes = this.#probes.counts();
    return { slots, inFlight: inFlight + probes.inFlight, late: late + probes.late, queued };
  }

  get callsOfRequests(): number {
    return this.#slots.counts().inFlight;
  }

  get stuck(): boolean {
    return this.#slots.stuck;
  }

  substitute(): boolean {
    return this.#slots.substitute();
  }

  close(deadlineMs: number): Promise<boolean> {
    this.#closing ??= this.#close(deadlineMs);
    return this.#closing;
  }

  /** The call holds its memory until the engine is done with it, or it was never begun. */
  #run<Result>(
    operation: string,
    memory: readonly NativeBlock[],
    returned: Returned | undefined,
    body: CallBody<Slot, Result>,
  ): Promise<Result> {
    return this.#slots.run(operation, body, () => {
      for (const block of memory) block.release();
      returned?.();
    });
  }

  async #close(deadlineMs: number): Promise<boolean> {
    this.sync?.close();
    const since = performance.now();
    // What is left must be enough to uninitialise: to be killed meanwhile is a death, to the others.
    const drainMs = deadlineMs / 2;
    const drained = await Promise.all([this.#slots.close(drainMs), this.#probes.close(drainMs)]);
    // With a call in flight the engine's uninit hangs and then crashes (engine.md §1).
    if (drained.includes(false)) return false;
    return this.#leave(deadlineMs - (performance.now() - since));
  }
}
