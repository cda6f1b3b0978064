import { randomBytes, randomUUID } from 'node:crypto';
import {
  MMC_DUPLICATED_OBJECT,
  MMC_ERROR,
  MMC_EXCEED_CAPACITY,
  MMC_NOT_ENOUGH_MEMORY,
  MMC_OK,
  MMC_UNMATCHED_KEY,
  UNTRUSTED_READ,
} from '../../errors/engine-codes.ts';
import {
  EngineClosedError,
  EngineDeadlineError,
  MmcError,
  UntrustedReadError,
} from '../abi/errors.ts';
import type { NativeBlock } from '../arena/native-block.ts';
import { CallMemoryPool } from '../calls/call-memory-pool.ts';
import type { CallMemory, EngineContext } from '../calls/engine-context.ts';
import { NativeCalls } from '../calls/native-calls.ts';

export const PROBE_BYTES = 256;
const noRoomCodes: readonly number[] = [MMC_ERROR, MMC_EXCEED_CAPACITY, MMC_NOT_ENOUGH_MEMORY];
const once = { replicas: 1, prefer: [] };

/** The memory of one probe: the bytes that it writes, and the place where it reads them. */
export interface ProbeBlocks {
  readonly written: NativeBlock;
  readonly read: NativeBlock;
}

/**
 * Proves that the engine stores and returns bytes, with an object of its own. It has its own argument
 * memory and two blocks, so it never waits for other calls or for memory.
 */
export class Probe {
  readonly #pool: CallMemoryPool;
  readonly #calls: NativeCalls;
  readonly #deadlineMs: number;
  readonly #written: NativeBlock;
  readonly #read: NativeBlock;
  /** One key for each process: the next run removes the object of an unfinished run. */
  readonly #key = `mcg-probe-${process.pid}-${randomUUID()}`;
  #isRunning = false;
  #isLate = false;
  #isClosed = false;

  /** `deadlineMs` applies to each call. */
  constructor(context: EngineContext, memory: CallMemory, blocks: ProbeBlocks, deadlineMs: number) {
    this.#pool = new CallMemoryPool([memory]);
    this.#calls = new NativeCalls(context, this.#pool, 'single');
    this.#deadlineMs = deadlineMs;
    this.#written = blocks.written;
    this.#read = blocks.read;
  }

  /** Whether it can run now: it is not running, and no call of its last run is in flight. */
  get free(): boolean {
    return !this.#isRunning && this.#pool.inFlight === 0;
  }

  counts(): { readonly inFlight: number; readonly late: number } {
    const { inFlight } = this.#pool;
    return { inFlight, late: this.#isLate ? inFlight : 0 };
  }

  /**
   * Call it only while it is free.
   * @throws MmcError if a call failed, UntrustedReadError if other bytes were returned,
   * EngineDeadlineError if a call exceeded its deadline, EngineClosedError after `close`.
   */
  async run(options: { toleratesFullPool: boolean }): Promise<void> {
    this.#isRunning = true;
    this.#isLate = false;
    try {
      await this.#prove(options.toleratesFullPool);
    } finally {
      this.#isRunning = false;
    }
  }

  /**
   * Prevents further calls, also of a run in progress, because the engine must not get a call while it
   * is uninitialised. Resolves true when no call is in flight, false if `deadlineMs` is over first.
   */
  close(deadlineMs: number): Promise<boolean> {
    this.#isClosed = true;
    return this.#pool.idle(deadlineMs);
  }

  async #prove(toleratesFullPool: boolean): Promise<void> {
    randomBytes(PROBE_BYTES).copy(this.#written.view);
    let stored = await this.#put();
    if (stored === MMC_DUPLICATED_OBJECT) {
      await this.#remove();
      stored = await this.#put();
    }
    const key = [this.#key];
    if (stored !== MMC_OK) {
      // Without space, the engine can still serve reads.
      if (!toleratesFullPool || !noRoomCodes.includes(stored)) throw new MmcError(stored, 'put');
      const { codes } = await this.#timed('query', () => this.#calls.query(key));
      // The engine returns that the object is missing, so it responds.
      if (codes[0] !== MMC_UNMATCHED_KEY) check('query', codes[0] as number);
      return;
    }
    const [read] = await this.#timed('get', () => this.#calls.get(key, [this.#read]));
    const removed = await this.#remove();
    if (read === UNTRUSTED_READ) throw new UntrustedReadError('get');
    check('get', read as number);
    if (!this.#read.view.equals(this.#written.view)) throw new UntrustedReadError('get');
    check('remove', removed);
  }

  async #put(): Promise<number> {
    const codes = await this.#timed('put', () =>
      this.#calls.put([this.#key], [this.#written], once),
    );
    return codes[0] as number;
  }

  async #remove(): Promise<number> {
    const codes = await this.#timed('remove', () => this.#calls.remove([this.#key]));
    return codes[0] as number;
  }

  async #timed<Result>(operation: string, call: () => Promise<Result>): Promise<Result> {
    if (this.#isClosed) throw new EngineClosedError(operation);
    try {
      return await within(this.#deadlineMs, operation, call());
    } catch (error) {
      this.#isLate = error instanceof EngineDeadlineError;
      throw error;
    }
  }
}

/** @throws EngineDeadlineError if the call has not returned by then; the call itself continues. */
export async function within<Result>(
  deadlineMs: number,
  operation: string,
  call: Promise<Result>,
): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new EngineDeadlineError(operation, deadlineMs)), deadlineMs);
  });
  try {
    return await Promise.race([call, late]);
  } finally {
    clearTimeout(timer);
  }
}

function check(operation: string, code: number): void {
  if (code !== MMC_OK) throw new MmcError(code, operation);
}
