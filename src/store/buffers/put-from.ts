import { ProblemError, sharedProblem } from '../../errors/problems.ts';
import type { Block, PutOptions } from '../../native/abi/types.ts';
import type { Transfer } from '../../native/regions/region.ts';
import type { Caller } from '../../scheduler/arena-room.ts';
import type { BatchCalls } from '../../scheduler/batch-calls.ts';
import { refusalOf } from '../admission.ts';
import { askForKeys, queryKeys } from '../ask-keys.ts';
import { type Outcome, WriteQueue } from '../batch/write-queue.ts';
import { problemOfThrown } from '../engine-problem.ts';
import { ItemProblems } from '../item-problems.ts';
import type { IfExists, ObjectStore } from '../object-store.ts';
import {
  type BufferItem,
  type BufferOutcome,
  copiesOf,
  type Extent,
  extentOf,
  releaseCopies,
} from './buffer-items.ts';
import type { Buffers } from './buffers.ts';
import type { MappedBuffer } from './mapped-buffers.ts';

export interface PutFrom {
  readonly buffers: Buffers;
  readonly store: ObjectStore;
  readonly buffer: MappedBuffer;
  readonly maxObjectBytes: number;
  readonly options: PutOptions;
  readonly ifExists: IfExists;
  /** The problem of a key that may not be written; undefined for others. */
  readonly refuse: (key: string) => ProblemError | undefined;
  readonly caller: Caller;
}

const NAMED_BEFORE = sharedProblem('object-exists', {
  detail: 'The request names this key twice. The first item is used.',
});

/** Stores objects from the memory of a client: the engine reads them there, unless they are scattered. */
export class BufferPut {
  readonly #put: PutFrom;
  readonly #engine: BatchCalls;
  readonly #transfer: Transfer;
  readonly #queue: WriteQueue;
  readonly #problems = new ItemProblems();
  readonly #settled: Outcome[];
  readonly #outcomes: BufferOutcome[];
  readonly #seen = new Set<string>();

  constructor(put: PutFrom, count: number) {
    const { buffers, store, buffer, caller } = put;
    this.#put = put;
    // Also for a client that disconnects: a part of the change may already be made.
    this.#engine = buffers.queues.of();
    this.#settled = new Array<Outcome>(count).fill(undefined);
    this.#outcomes = this.#settled.map(() => ({
      result: undefined,
      size: undefined,
      isCopied: false,
    }));
    this.#queue = new WriteQueue(
      { engine: this.#engine, store, caller },
      this.#settled,
      (index, outcome) => this.#settle(index, outcome),
    );
    this.#queue.options = put.options;
    this.#queue.ifExists = put.ifExists;
    this.#transfer = buffer.begin();
  }

  /** An outcome for each item. Rejects with a defect only. */
  async run(items: readonly BufferItem[]): Promise<readonly BufferOutcome[]> {
    try {
      for (let index = 0; index < items.length; index++) {
        const wait = this.#add(index, items[index] as BufferItem);
        // Most items need not wait, and a turn for each of many items would cost more than the items.
        if (wait !== undefined) await wait;
      }
      this.#queue.flush();
      await this.#queue.allReturned();
      if (this.#put.buffer.isBroken()) await this.#removeTorn(items);
      return this.#outcomes;
    } finally {
      for (const { block } of this.#queue.takeAll()) block.release();
      this.#transfer.end();
    }
  }

  #add(index: number, item: BufferItem): void | Promise<void> {
    const { buffer, maxObjectBytes, options, store, refuse, buffers } = this.#put;
    const { key } = item;
    const extent = extentOf(item, buffer.region.bytes);
    const refusal =
      refuse(key) ??
      (this.#seen.has(key) ? NAMED_BEFORE : undefined) ??
      (extent instanceof ProblemError ? extent : undefined);
    this.#seen.add(key);
    if (refusal !== undefined || extent instanceof ProblemError) {
      return this.#settle(index, refusal ?? (extent as ProblemError));
    }
    const outcome = this.#outcomes[index] as BufferOutcome;
    outcome.size = extent.bytes;
    const tooLarge = refusalOf(extent.bytes, options.replicas, {
      maxObjectBytes,
      poolBytes: store.poolBytes,
    });
    if (tooLarge !== undefined) return this.#settle(index, tooLarge);
    const [first, second] = extent.pieces;
    outcome.isCopied = buffers.copies || second !== undefined;
    if (outcome.isCopied) return this.#addCopied(index, key, extent);
    const block = this.#transfer.block(first?.offset ?? 0, extent.bytes);
    return this.#queue.add({ index, key, block }, extent.bytes);
  }

  async #addCopied(index: number, key: string, extent: Extent): Promise<void> {
    try {
      const block = await this.#gather(extent);
      await this.#queue.add({ index, key, block }, extent.bytes);
    } catch (error) {
      const problem = problemOfThrown('write', error);
      if (!(problem instanceof ProblemError)) throw problem;
      this.#settle(index, problem);
    }
  }

  async #gather(extent: Extent): Promise<Block> {
    const { buffers, store, caller } = this.#put;
    let block = this.#engine.arena.tryAllocate(extent.bytes, caller.peer ?? caller);
    if (block === undefined) {
      // A request waits for room only while the engine has all of its blocks.
      this.#queue.flush();
      block = await store.reserve(extent.bytes, caller);
    }
    const copies = copiesOf(this.#transfer, extent, block, 'gather');
    try {
      await buffers.queues.move('copy', () => buffers.shared.copy(copies));
      return block;
    } catch (error) {
      block.release();
      throw error;
    } finally {
      releaseCopies(copies);
    }
  }

  #settle(index: number, outcome: Exclude<Outcome, undefined>): void {
    const settled = typeof outcome === 'string' ? outcome : this.#problems.share(outcome);
    this.#settled[index] = settled;
    (this.#outcomes[index] as BufferOutcome).result = settled;
  }

  /**
   * The client has truncated the memory while the engine copied, so the objects may contain zeros. Removes
   * those that still have the size that was stored: another client may have replaced them since.
   */
  async #removeTorn(items: readonly BufferItem[]): Promise<void> {
    const torn = [...this.#outcomes.entries()].filter(
      ([, { result }]) => result === 'created' || result === 'replaced',
    );
    const keys = torn.map(([index]) => (items[index] as BufferItem).key);
    for (const [index, { result }] of torn) {
      this.#settle(index, result === 'replaced' ? BROKEN_REPLACED : BROKEN);
    }
    if (keys.length === 0) return;
    const ours: string[] = [];
    try {
      await queryKeys(this.#engine, 'read', keys, (at, { valid, size }) => {
        const [index] = torn[at] as [number, BufferOutcome];
        if (valid && size === this.#outcomes[index]?.size) ours.push(keys[at] as string);
      });
      const removed = await askForKeys(this.#engine, 'remove', ours);
      if (removed.stopped !== undefined) throw removed.stopped.problem;
    } catch (error) {
      if (!(problemOfThrown('remove', error) instanceof ProblemError)) throw error;
      for (const [index] of torn) this.#settle(index, BROKEN_LEFT);
    } finally {
      for (const key of keys) this.#put.store.changed(key, undefined);
    }
  }
}

const BROKEN = sharedProblem('buffer-broken', {
  detail:
    'The client truncated the memory during the put. The gateway has removed the object again.',
});
const BROKEN_REPLACED = sharedProblem('buffer-broken', {
  detail:
    'The client truncated the memory during the put. The gateway has removed the object again, and the object that it replaced is gone.',
});
const BROKEN_LEFT = sharedProblem('buffer-broken', {
  detail:
    'The client truncated the memory during the put, and the gateway could not remove the object again. Its bytes may be zeros: remove it.',
});
