import type { ProblemError } from '../../errors/problems.ts';
import { MAX_BATCH_KEYS } from '../../native/abi/limits.ts';
import type { PutOptions } from '../../native/abi/types.ts';
import type { Caller } from '../../scheduler/arena-room.ts';
import type { BatchCalls } from '../../scheduler/batch-calls.ts';
import type { IfExists, ObjectStore, WriteOutcome } from '../object-store.ts';
import { type Settle, type WriteAlone, type WriteItem, writeObjects } from '../write-objects.ts';

/** Undefined until an item is settled. */
export type Outcome = WriteOutcome | ProblemError | undefined;

/** Bytes that are collected before they are stored: enough to make a call worth its round trip. */
const MAX_PENDING_BYTES = 16 << 20;
/** Calls in flight for one request, while the next values are received. */
const MAX_CALLS = 2;

export interface WriteQueueContext {
  readonly engine: BatchCalls;
  readonly store: Pick<ObjectStore, 'write' | 'poolBytes' | 'changed' | 'explainNoRoom'>;
  readonly caller: Caller | undefined;
}

/** The values of a batch put on their way to the engine: it stores them several at a time. */
export class WriteQueue {
  options: PutOptions = { replicas: 1, prefer: [] };
  ifExists: IfExists = 'fail';
  readonly #context: WriteQueueContext;
  readonly #outcomes: readonly Outcome[];
  readonly #settle: Settle;
  readonly #maxPending: number;
  readonly #calls = new Set<Promise<void>>();
  #pending: WriteItem[] = [];
  #pendingBytes = 0;
  #defect: unknown;

  /** `settle` sets the outcome of an item in `outcomes`. */
  constructor(context: WriteQueueContext, outcomes: readonly Outcome[], settle: Settle) {
    this.#context = context;
    this.#outcomes = outcomes;
    this.#settle = settle;
    this.#maxPending = Math.min(MAX_PENDING_BYTES, context.engine.arena.totalBytes / 8);
  }

  /** Owns the block of the item from here. `room` is the item's part of the arena. */
  add(item: WriteItem, room: number): void | Promise<void> {
    this.#pending.push(item);
    this.#pendingBytes += room;
    const isFull =
      this.#pendingBytes >= this.#maxPending || this.#pending.length === MAX_BATCH_KEYS;
    if (!isFull) return;
    this.flush();
    if (this.#calls.size >= MAX_CALLS) return this.#anyReturned();
  }

  /** Stores what has been added. */
  flush(): void {
    if (this.#pending.length === 0) return;
    const items = this.takeAll();
    const { engine, store, caller } = this.#context;
    const { options, ifExists } = this;
    const alone: WriteAlone = ({ key, block }, mayWait) =>
      store.write(key, block, block.length, options, ifExists, mayWait ? caller : undefined);
    const context = { engine, poolBytes: store.poolBytes, options, ifExists, alone };
    const call = writeObjects(context, items, this.#explained(items))
      .catch((error: unknown) => {
        this.#defect ??= error;
      })
      .finally(() => {
        for (const item of items) this.#release(item);
        this.#calls.delete(call);
      });
    this.#calls.add(call);
  }

  /** The figures of a `no-room` are those of its own item. */
  #explained(items: readonly WriteItem[]): Settle {
    const { store } = this.#context;
    const { replicas } = this.options;
    let bytesOf: ReadonlyMap<number, number> | undefined;
    return (index, outcome) => {
      if (typeof outcome === 'string' || outcome.slug !== 'no-room') {
        this.#settle(index, outcome);
        return;
      }
      bytesOf ??= new Map(items.map((item) => [item.index, item.block.length]));
      const neededBytes = (bytesOf.get(index) ?? 0) * replicas;
      this.#settle(index, store.explainNoRoom(outcome, neededBytes));
    };
  }

  /** Items that are not with the engine; the caller owns their blocks. */
  takeAll(): WriteItem[] {
    const items = this.#pending;
    this.#pending = [];
    this.#pendingBytes = 0;
    return items;
  }

  /** Resolves when no engine call is in flight. */
  async idle(): Promise<void> {
    await Promise.all(this.#calls);
  }

  /** As `idle`. @throws a defect, and nothing else */
  async allReturned(): Promise<void> {
    await this.idle();
    this.#throwDefect();
  }

  async #anyReturned(): Promise<void> {
    await Promise.race(this.#calls);
    this.#throwDefect();
  }

  #release({ index, key, block }: WriteItem): void {
    const outcome = this.#outcomes[index];
    const isNew = outcome === 'created' || outcome === 'replaced';
    if (outcome !== 'kept') this.#context.store.changed(key, isNew ? block.length : undefined);
    block.release();
  }

  #throwDefect(): void {
    if (this.#defect !== undefined) throw this.#defect as Error;
  }
}
