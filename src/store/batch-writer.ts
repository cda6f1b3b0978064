import { setImmediate as nextTurn } from 'node:timers/promises';
import { ProblemError, sharedProblem } from '../errors.ts';
import { asNative, sliceBlock } from '../native/native-block.ts';
import type { Block, PutOptions } from '../native/types.ts';
import { refusalOf } from './admission.ts';
import { type Caller, peerOf } from './arena-room.ts';
import type { BatchCalls } from './batch-calls.ts';
import { MAX_CALL_KEYS } from './batch-keys.ts';
import { putBatch, type Received } from './batch-put.ts';
import { UNSIZED_START_BYTES } from './grown-block.ts';
import { ItemProblems } from './item-problems.ts';
import type { IfExists, ObjectStore, WriteOutcome } from './object-store.ts';

/** Takes the values of a batch, one after the other. A promise asks for time before the next call. */
export interface ValueSink {
  /** `bytes` where the length is known. */
  begin(key: string, bytes: number | undefined): void | Promise<void>;
  /** The chunk is the caller's again when this returns, or its promise resolves. */
  take(chunk: Uint8Array): void | Promise<void>;
  finish(): void | Promise<void>;
}

export interface WriterContext {
  readonly engine: BatchCalls;
  readonly store: Pick<ObjectStore, 'write' | 'reserve' | 'poolBytes' | 'changed'>;
  readonly maxObjectBytes: number;
  /** Of a value whose length is known at its end only. */
  readonly unsizedBytes: number;
  readonly caller: Caller | undefined;
}

export interface Written {
  readonly keys: readonly string[];
  readonly outcomes: readonly Outcome[];
}

/** Undefined until an item is settled. */
type Outcome = WriteOutcome | ProblemError | undefined;

/** What is collected before it is stored: enough to make a call worth its round trip. */
const MOST_PENDING_BYTES = 16 << 20;
/** Calls under way for one request, while the next values are received. */
const MOST_CALLS = 2;

/** Blocks released in one turn of the event loop: about two milliseconds. */
const RELEASED_AT_ONCE = 4096;

interface Growing {
  readonly index: number;
  readonly key: string;
  /** Undefined for a value that was refused, whose bytes are passed over. */
  block: Block | undefined;
  bytes: number;
  readonly known: boolean;
}

/**
 * The receiving half of a batch put: each value goes into a block of its own, and blocks go to the
 * engine a batch at a time while the next values arrive. It waits for room only when all that it
 * holds is with the engine, which gives it back by itself; so batches never wait for each other.
 */
export class BatchWriter implements ValueSink {
  readonly #context: WriterContext;
  readonly #mostPending: number;
  readonly #keys: string[] = [];
  readonly #seen = new Set<string>();
  readonly #outcomes: Outcome[] = [];
  readonly #problems = new ItemProblems();
  readonly #calls = new Set<Promise<void>>();
  #options: PutOptions = { replicas: 1, prefer: [] };
  #ifExists: IfExists = 'fail';
  #pending: Received[] = [];
  #pendingBytes = 0;
  /** Values that wait for `written`; undefined when each is stored as soon as enough have come. */
  #held: Received[] | undefined;
  #current: Growing | undefined;
  #defect: unknown;

  constructor(context: WriterContext) {
    this.#context = context;
    this.#mostPending = Math.min(MOST_PENDING_BYTES, context.engine.arena.totalBytes / 8);
  }

  /** To be called before the first value; `fail` with one replica otherwise. */
  place(options: PutOptions, ifExists: IfExists): void {
    this.#options = options;
    this.#ifExists = ifExists;
  }

  /**
   * Stores nothing before `written`. Since the values then keep their room, a value that finds none
   * does not wait for it: `begin` and `take` reject with `arena-full`.
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
    return this.#pend(
      { index, key, block },
      isRoomy(value.block, bytes) ? bytes : value.block.length,
    );
  }

  /** Stores a value together with others; `room` is what it takes of the arena. */
  #pend(item: Received, room: number): void | Promise<void> {
    this.#pending.push(item);
    this.#pendingBytes += room;
    const enough =
      this.#pendingBytes >= this.#mostPending || this.#pending.length === MAX_CALL_KEYS;
    if (!enough) return;
    this.#send();
    if (this.#calls.size >= MOST_CALLS) return this.#someReturned();
  }

  /** Stores what has not been stored yet. Rejects with a defect only. */
  async written(): Promise<Written> {
    const held = this.#held?.reverse() ?? [];
    for (let item = held.pop(); item !== undefined; item = held.pop()) {
      const wait = this.#pend(item, item.block.length);
      if (wait !== undefined) await wait;
    }
    this.#send();
    await this.#allReturned();
    return { keys: this.#keys, outcomes: this.#outcomes };
  }

  /** Resolves when no engine call is in flight for this request. */
  async returned(): Promise<void> {
    await Promise.all(this.#calls);
  }

  /**
   * Releases what was received and not given to the engine, when the rest will not come. Values that
   * are held may be many, so the event loop serves other requests in between.
   */
  async discard(): Promise<void> {
    this.#current?.block?.release();
    this.#current = undefined;
    const items = this.#pending.concat(this.#held ?? []);
    this.#pending = [];
    this.#held = undefined;
    this.#pendingBytes = 0;
    for (const [n, { block }] of items.entries()) {
      block.release();
      if (n % RELEASED_AT_ONCE === RELEASED_AT_ONCE - 1) await nextTurn();
    }
  }

  #refusal(key: string, bytes: number | undefined): ProblemError | undefined {
    if (this.#seen.has(key)) return NAMED_BEFORE;
    if (bytes === undefined) return undefined;
    if (bytes === 0) return EMPTY;
    const { maxObjectBytes, store } = this.#context;
    const { poolBytes } = store;
    return refusalOf(bytes, this.#options.replicas, { maxObjectBytes, poolBytes });
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
    this.#send();
    try {
      const block = await this.#context.store.reserve(bytes, this.#context.caller);
      // The request may have ended meanwhile.
      if (this.#current === value) value.block = block;
      else block.release();
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error;
      this.#settle(value.index, error);
    }
  }

  /** Values that are held until the end free no room: two such batches would wait for each other. */
  #refuseToWait(): void {
    if (this.#held === undefined || this.#held.length === 0) return;
    throw new ProblemError('arena-full', { detail: NO_ROOM_TO_HOLD });
  }

  /** Doubles, without waiting for anybody else's blocks since it holds one (design.md §2). */
  async #grow(value: Growing, block: Block, chunk: Uint8Array, needed: number): Promise<void> {
    const { unsizedBytes } = this.#context;
    const more = Math.min(unsizedBytes, Math.max(needed, block.length * 2));
    let larger: Block | undefined;
    if (!value.known && needed <= unsizedBytes) {
      larger = this.#tryAllocate(more);
      if (larger === undefined) {
        this.#refuseToWait();
        this.#send();
        await this.#allReturned();
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
    const fitted = small ?? sliceBlock(asNative(block), 0, bytes);
    block.release();
    return fitted;
  }

  #send(): void {
    if (this.#pending.length === 0) return;
    const items = this.#pending;
    this.#pending = [];
    this.#pendingBytes = 0;
    const { engine, store } = this.#context;
    const call = putBatch(
      {
        engine,
        store,
        options: this.#options,
        ifExists: this.#ifExists,
        settle: (index, outcome) => this.#settle(index, outcome),
      },
      items,
    )
      .catch((error: unknown) => {
        this.#defect ??= error;
      })
      .finally(() => {
        for (const { index, key, block } of items) {
          const outcome = this.#outcomes[index];
          const isNew = outcome === 'created' || outcome === 'replaced';
          if (outcome !== 'kept') store.changed(key, isNew ? block.length : undefined);
          block.release();
        }
        this.#calls.delete(call);
      });
    this.#calls.add(call);
  }

  async #someReturned(): Promise<void> {
    await Promise.race(this.#calls);
    this.#throwDefect();
  }

  async #allReturned(): Promise<void> {
    await Promise.all(this.#calls);
    this.#throwDefect();
  }

  #settle(index: number, outcome: WriteOutcome | ProblemError): void {
    this.#outcomes[index] = typeof outcome === 'string' ? outcome : this.#problems.share(outcome);
  }

  #throwDefect(): void {
    if (this.#defect !== undefined) throw this.#defect as Error;
  }
}

/** Whether a value takes so little of its block that it is worth to be moved into one of its own. */
const isRoomy = (block: Block, bytes: number): boolean => bytes <= block.length / 2;

const EMPTY = sharedProblem('empty-object');
const NO_ROOM = sharedProblem('arena-full');
const NAMED_BEFORE = sharedProblem('object-exists', {
  detail: 'The batch names this key before: the first one counts.',
});

const NO_ROOM_TO_HOLD =
  'A batch with Content-Digest is held whole until its digest is verified, and there was no room for it. Nothing was stored: try again, or send smaller batches.';

const unsizedTooLarge = (limit: number): ProblemError =>
  new ProblemError('unsized-body-too-large', {
    detail: `The part has more than ${limit} bytes and no Content-Length: give it one, or send safetensors.`,
    members: { limitBytes: limit },
  });
