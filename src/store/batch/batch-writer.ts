import { setImmediate as nextTurn } from 'node:timers/promises';
import { ProblemError, sharedProblem } from '../../errors/problems.ts';
import type { Block, PutOptions } from '../../native/abi/types.ts';
import { type Caller, peerOf } from '../../scheduler/arena-room.ts';
import type { BatchCalls } from '../../scheduler/batch-calls.ts';
import { refusalOf } from '../admission.ts';
import { UNSIZED_START_BYTES } from '../grown-block.ts';
import { ItemProblems } from '../item-problems.ts';
import type { IfExists, ObjectStore, WriteOutcome } from '../object-store.ts';
import type { WriteItem } from '../write-objects.ts';
import { type Outcome, WriteQueue } from './write-queue.ts';

/** Receives the values of a batch, one after another. The next call must wait for a returned promise. */
export interface ValueSink {
  /** `bytes` is undefined where the length is not known. */
  begin(key: string, bytes: number | undefined): void | Promise<void>;
  /** The caller may reuse the chunk when this returns, or when its promise resolves. */
  take(chunk: Uint8Array): void | Promise<void>;
  finish(): void | Promise<void>;
}

export interface WriterContext {
  readonly engine: BatchCalls;
  readonly store: Pick<
    ObjectStore,
    'write' | 'reserve' | 'poolBytes' | 'changed' | 'explainNoRoom'
  >;
  readonly maxObjectBytes: number;
  /** The limit for a value whose length is not known before its end. */
  readonly unsizedBytes: number;
  /** The problem of a key that may not be written; undefined for others. */
  readonly refuse?: ((key: string) => ProblemError | undefined) | undefined;
  readonly caller: Caller | undefined;
}

export interface Written {
  readonly keys: readonly string[];
  readonly outcomes: readonly Outcome[];
}

/** Blocks released in one turn of the event loop: about two milliseconds. */
const RELEASED_AT_ONCE = 4096;

interface Growing {
  readonly index: number;
  readonly key: string;
  /** Undefined for a value that was refused: its bytes are skipped. */
  block: Block | undefined;
  bytes: number;
  readonly known: boolean;
}

/**
 * Receives the values of a batch put, each into a block of its own, and stores them several at a time
 * while the next values arrive. It waits for room only while the engine has all of its blocks, which
 * the engine calls release. Otherwise two batches that hold blocks would wait for each other.
 */
export class BatchWriter implements ValueSink {
  readonly #context: WriterContext;
  readonly #queue: WriteQueue;
  readonly #keys: string[] = [];
  readonly #seen = new Set<string>();
  readonly #outcomes: Outcome[] = [];
  readonly #problems = new ItemProblems();
  /** Values that are kept until `written`; undefined when values are stored as they arrive. */
  #held: WriteItem[] | undefined;
  #current: Growing | undefined;

  constructor(context: WriterContext) {
    this.#context = context;
    this.#queue = new WriteQueue(context, this.#outcomes, (index, outcome) =>
      this.#settle(index, outcome),
    );
  }

  /** Must be called before the first value. The default is `fail`, with one replica. */
  place(options: PutOptions, ifExists: IfExists): void {
    this.#queue.options = options;
    this.#queue.ifExists = ifExists;
  }

  /**
   * Stores nothing before `written`. The values then keep their room until the end. So `begin` and
   * `take` do not wait for room, and reject with `arena-full`.
   */
  holdAll(): void {
    this.#held = [];
  }

  begin(key: string, bytes: number | undefined): void | Promise<void> {
    const index = this.#keys.push(key) - 1;
    // An array with gaps would become a hash table, which takes several times the memory.
    this.#outcomes.push(undefined);
    const value = { index, key, block: undefined, bytes: 0, known: bytes !== undefined };
    this.#current = value;
    const refusal = this.#refusal(key, bytes);
    this.#seen.add(key);
    if (refusal !== undefined) {
      this.#settle(index, refusal);
      return;
    }
    return this.#findRoom(
      value,
      bytes ?? Math.min(UNSIZED_START_BYTES, this.#context.unsizedBytes),
    );
  }

  take(chunk: Uint8Array): void | Promise<void> {
    const value = this.#current;
    if (value?.block === undefined) return;
    const needed = value.bytes + chunk.length;
    if (needed <= value.block.length) {
      value.block.view.set(chunk, value.bytes);
      value.bytes = needed;
      return;
    }
    return this.#grow(value, value.block, chunk, needed);
  }

  finish(): void | Promise<void> {
    const value = this.#current;
    this.#current = undefined;
    if (value?.block === undefined) return;
    const { index, key, bytes } = value;
    if (bytes === 0) {
      value.block.release();
      this.#settle(index, EMPTY);
      return;
    }
    const block = this.#fitted(value.block, bytes);
    if (this.#held !== undefined) {
      this.#held.push({ index, key, block });
      return;
    }
    return this.#queue.add(
      { index, key, block },
      isRoomy(value.block, bytes) ? bytes : value.block.length,
    );
  }

  /** Stores the remaining values. Rejects with a defect only. */
  async written(): Promise<Written> {
    const held = this.#held?.reverse() ?? [];
    for (let item = held.pop(); item !== undefined; item = held.pop()) {
      const wait = this.#queue.add(item, item.block.length);
      if (wait !== undefined) await wait;
    }
    this.#queue.flush();
    await this.#queue.allReturned();
    return { keys: this.#keys, outcomes: this.#outcomes };
  }

  /** Resolves when no engine call is in flight for this request. */
  returned(): Promise<void> {
    return this.#queue.idle();
  }

  /**
   * Releases the values that the engine does not have, when the request fails. There may be many, so
   * other requests are served in between.
   */
  async discard(): Promise<void> {
    this.#current?.block?.release();
    this.#current = undefined;
    const items = this.#queue.takeAll().concat(this.#held ?? []);
    this.#held = undefined;
    for (const [n, { block }] of items.entries()) {
      block.release();
      if (n % RELEASED_AT_ONCE === RELEASED_AT_ONCE - 1) await nextTurn();
    }
  }

  #refusal(key: string, bytes: number | undefined): ProblemError | undefined {
    const refused = this.#context.refuse?.(key);
    if (refused !== undefined) return refused;
    if (this.#seen.has(key)) return NAMED_BEFORE;
    if (bytes === undefined) return undefined;
    if (bytes === 0) return EMPTY;
    const { maxObjectBytes, store } = this.#context;
    const { poolBytes } = store;
    return refusalOf(bytes, this.#queue.options.replicas, { maxObjectBytes, poolBytes });
  }

  #tryAllocate(bytes: number): Block | undefined {
    const { engine, caller } = this.#context;
    return engine.arena.tryAllocate(bytes, peerOf(caller));
  }

  #findRoom(value: Growing, bytes: number): void | Promise<void> {
    const block = this.#tryAllocate(bytes);
    if (block === undefined) return this.#awaitRoom(value, bytes);
    value.block = block;
  }

  async #awaitRoom(value: Growing, bytes: number): Promise<void> {
    this.#refuseToWait();
    this.#queue.flush();
    try {
      const block = await this.#context.store.reserve(bytes, this.#context.caller);
      // The request may have ended while it waited.
      if (this.#current === value) value.block = block;
      else block.release();
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error;
      this.#settle(value.index, error);
    }
  }

  /** Values that are kept until the end release no room: two such batches would wait for each other. */
  #refuseToWait(): void {
    if (this.#held === undefined || this.#held.length === 0) return;
    throw new ProblemError('arena-full', { detail: NO_ROOM_TO_HOLD });
  }

  /** Doubles the block. It waits only for blocks of its own request, because it holds one itself. */
  async #grow(value: Growing, block: Block, chunk: Uint8Array, needed: number): Promise<void> {
    const { unsizedBytes } = this.#context;
    const more = Math.min(unsizedBytes, Math.max(needed, block.length * 2));
    let larger: Block | undefined;
    if (!value.known && needed <= unsizedBytes) {
      larger = this.#tryAllocate(more);
      if (larger === undefined) {
        this.#refuseToWait();
        this.#queue.flush();
        await this.#queue.allReturned();
        if (this.#current !== value) return;
        larger = this.#tryAllocate(more) ?? this.#tryAllocate(needed);
      }
    }
    if (larger === undefined) {
      value.block = undefined;
      this.#settle(value.index, needed > unsizedBytes ? unsizedTooLarge(unsizedBytes) : NO_ROOM);
    } else {
      larger.view.set(block.view.subarray(0, value.bytes));
      larger.view.set(chunk, value.bytes);
      value.block = larger;
      value.bytes = needed;
    }
    block.release();
  }

  /** The engine takes the length of a value from its block. */
  #fitted(block: Block, bytes: number): Block {
    if (block.length === bytes) return block;
    const small = isRoomy(block, bytes) ? this.#tryAllocate(bytes) : undefined;
    if (small !== undefined) small.view.set(block.view.subarray(0, bytes));
    const fitted = small ?? block.slice(0, bytes);
    block.release();
    return fitted;
  }

  #settle(index: number, outcome: WriteOutcome | ProblemError): void {
    this.#outcomes[index] = typeof outcome === 'string' ? outcome : this.#problems.share(outcome);
  }
}

/** Whether a value is so much smaller than its block that a copy into a smaller block is worth it. */
const isRoomy = (block: Block, bytes: number): boolean => bytes <= block.length / 2;

const EMPTY = sharedProblem('empty-object');
const NO_ROOM = sharedProblem('arena-full');
const NAMED_BEFORE = sharedProblem('object-exists', {
  detail: 'The batch names this key twice. The first value is used.',
});

const NO_ROOM_TO_HOLD =
  'The gateway keeps a batch with Content-Digest in memory until the digest is verified, and there was no room for it. Nothing was stored. Try again, or send smaller batches.';

const unsizedTooLarge = (limit: number): ProblemError =>
  new ProblemError('unsized-body-too-large', {
    detail: `The part has more than ${limit} bytes and no Content-Length. Send a Content-Length with the part, or send safetensors.`,
    members: { limitBytes: limit },
  });
