import { randomBytes, randomUUID } from 'node:crypto';
import { type CallCounts, CallSlots } from './call-slots.ts';
import {
  MMC_DUPLICATED_OBJECT,
  MMC_ERROR,
  MMC_EXCEED_CAPACITY,
  MMC_NOT_ENOUGH_MEMORY,
  MMC_OK,
  UNTRUSTED_READ,
} from './codes.ts';
import type { EngineContext, Slot } from './engine-context.ts';
import { MmcError, UntrustedReadError } from './errors.ts';
import type { NativeBlock } from './native-block.ts';
import { getOnSlot, keyOnSlot, putOnSlot, queryOnSlot } from './slot-calls.ts';

export const PROBE_BYTES = 256;
const noRoomCodes: readonly number[] = [MMC_ERROR, MMC_EXCEED_CAPACITY, MMC_NOT_ENOUGH_MEMORY];

/** The memory of one probe: what it writes, and where it reads that again. */
export interface ProbeBlocks {
  readonly written: NativeBlock;
  readonly read: NativeBlock;
}

/**
 * Proves that the engine stores and returns bytes, with an object of its own. It has a slot and two
 * blocks to itself, so it neither waits for other calls nor for room.
 */
export class Probe {
  readonly #context: EngineContext;
  readonly #slots: CallSlots<Slot>;
  readonly #written: NativeBlock;
  readonly #read: NativeBlock;
  /** One for the client's life: what a run that never returned leaves behind, the next one finds. */
  readonly #key = `mcg-probe-${process.pid}-${randomUUID()}`;
  #running = false;

  constructor(context: EngineContext, slot: Slot, blocks: ProbeBlocks, deadlineMs: number) {
    this.#context = context;
    this.#slots = new CallSlots([slot], deadlineMs);
    this.#written = blocks.written;
    this.#read = blocks.read;
  }

  /** Whether it can run now: it does not, and no call of its last run is still out. */
  get free(): boolean {
    return !this.#running && this.counts().inFlight === 0;
  }

  counts(): CallCounts {
    return this.#slots.counts();
  }

  /**
   * Only while it is free.
   * @throws MmcError when a call failed, UntrustedReadError when other bytes came back,
   * EngineDeadlineError when a call outlasted its deadline.
   */
  async run(options: { toleratesFullPool: boolean }): Promise<void> {
    this.#running = true;
    try {
      await this.#prove(options.toleratesFullPool);
    } finally {
      this.#running = false;
    }
  }

  close(deadlineMs: number): Promise<boolean> {
    return this.#slots.close(deadlineMs);
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
