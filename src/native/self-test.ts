import { randomBytes, randomUUID } from 'node:crypto';
import type { CallSlots } from './call-slots.ts';
import {
  MMC_DUPLICATED_OBJECT,
  MMC_ERROR,
  MMC_EXCEED_CAPACITY,
  MMC_NOT_ENOUGH_MEMORY,
  MMC_OK,
  UNTRUSTED_READ,
} from './codes.ts';
import type { EngineContext, Slot } from './engine-context.ts';
import { EngineDeadlineError, MmcError, UntrustedReadError } from './errors.ts';
import type { NativeBlock } from './native-block.ts';
import { getOnSlot, keyOnSlot, putOnSlot, queryOnSlot } from './slot-calls.ts';

export const PROBE_BYTES = 256;
const noRoomCodes: readonly number[] = [MMC_ERROR, MMC_EXCEED_CAPACITY, MMC_NOT_ENOUGH_MEMORY];

/**
 * Proves that the engine stores and returns bytes, with an object of its own. It has a slot and two
 * blocks to itself, so it neither waits for other calls nor for room; callers that come while it
 * runs share it, each with its own patience.
 */
export class Probe {
  readonly #context: EngineContext;
  readonly #slots: CallSlots<Slot>;
  readonly #written: NativeBlock;
  readonly #read: NativeBlock;
  /** One for the client's life: what a probe that never returned leaves behind, the next one finds. */
  readonly #key = `mcg-probe-${process.pid}-${randomUUID()}`;
  #running: Promise<void> | undefined;

  constructor(
    context: EngineContext,
    slots: CallSlots<Slot>,
    blocks: { written: NativeBlock; read: NativeBlock },
  ) {
    this.#context = context;
    this.#slots = slots;
    this.#written = blocks.written;
    this.#read = blocks.read;
  }

  /**
   * @throws MmcError when a call failed, UntrustedReadError when other bytes came back,
   * EngineDeadlineError when it took longer than `deadlineMs`.
   */
  async run(deadlineMs: number, options: { toleratesFullPool: boolean }): Promise<void> {
    this.#running ??= this.#prove(options.toleratesFullPool).finally(() => {
      this.#running = undefined;
    });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new EngineDeadlineError('probe', deadlineMs)), deadlineMs);
    });
    try {
      await Promise.race([this.#running, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #prove(toleratesFullPool: boolean): Promise<void> {
    const key = this.#key;
    randomBytes(PROBE_BYTES).copy(this.#written.view);
    let stored = await this.#put(key);
    if (stored === MMC_DUPLICATED_OBJECT) {
      await this.#remove(key);
      stored = await this.#put(key);
    }
    if (stored !== MMC_OK) {
      // No room is no reason to turn readers away, as long as the engine answers them.
      if (!toleratesFullPool || !noRoomCodes.includes(stored)) throw new MmcError(stored, 'put');
      check('query', await this.#query(key));
      return;
    }
    const read = await this.#get(key);
    const removed = await this.#remove(key);
    if (read === UNTRUSTED_READ) throw new UntrustedReadError('get');
    check('get', read);
    if (!this.#read.view.equals(this.#written.view)) throw new UntrustedReadError('get');
    check('remove', removed);
  }

  #put(key: string): Promise<number> {
    return this.#slots.run('put', (slot, finish, fail) => {
      const options = { replicas: 1, prefer: [] };
      putOnSlot(this.#context, slot, key, this.#written, PROBE_BYTES, options, finish, fail);
    });
  }

  async #get(key: string): Promise<number> {
    const result = await this.#slots.run<{ code: number }>('get', (slot, finish, fail) => {
      getOnSlot(this.#context, slot, key, this.#read, PROBE_BYTES, finish, fail);
    });
    return result.code;
  }

  async #query(key: string): Promise<number> {
    const result = await this.#slots.run<{ code: number }>('query', (slot, finish, fail) => {
      queryOnSlot(this.#context, slot, key, finish, fail);
    });
    return result.code;
  }

  #remove(key: string): Promise<number> {
    return this.#slots.run('remove', (slot, finish, fail) => {
      keyOnSlot(this.#context, slot, 'remove', key, finish, fail);
    });
  }
}

function check(operation: string, code: number): void {
  if (code !== MMC_OK) throw new MmcError(code, operation);
}
