import { MMC_ERROR } from '../../errors/engine-codes.ts';
import { ProblemError, sharedProblem } from '../../errors/problems.ts';
import type { Block } from '../../native/abi/types.ts';
import type { Transfer } from '../../native/regions/region.ts';
import { type Caller, peerOf, waitForRoom } from '../../scheduler/arena-room.ts';
import type { BatchCalls } from '../../scheduler/batch-calls.ts';
import { partEnd } from '../../scheduler/call-parts.ts';
import { queryKeys } from '../ask-keys.ts';
import { problemOfCode, problemOfThrown } from '../engine-problem.ts';
import { ItemProblems } from '../item-problems.ts';
import { readAgain } from '../read-again.ts';
import {
  type BufferItem,
  type BufferOutcome,
  copiesOf,
  extentOf,
  releaseCopies,
} from './buffer-items.ts';
import type { Buffers } from './buffers.ts';
import type { MappedBuffer } from './mapped-buffers.ts';
import { areInOrder, overlapping, shortened, type Wanted } from './wanted.ts';

export interface GetInto {
  readonly buffers: Buffers;
  readonly buffer: MappedBuffer;
  /** The problem of a key that may not be read; undefined for others. */
  readonly refuse: (key: string) => ProblemError | undefined;
  readonly caller: Caller;
}

/** Bytes of one engine call; those that pass through the arena are as many as in other reads. */
const MAX_CALL_BYTES = 64 << 20;
const MAX_COPIED_BYTES = 16 << 20;

const BROKEN = sharedProblem('buffer-broken');
const OVERLAP = sharedProblem('buffer-range', {
  detail: 'The range overlaps that of another item of the request.',
});
const tooLarge = (size: number, most: number): ProblemError =>
  new ProblemError('object-too-large', {
    detail: `The object has ${size} bytes and is copied through the arena, which holds at most ${most} at once.`,
  });

/** Reads objects into the memory of a client: the engine writes them there, unless they are scattered. */
export class BufferGet {
  readonly #get: GetInto;
  readonly #engine: BatchCalls;
  readonly #transfer: Transfer;
  readonly #problems = new ItemProblems();
  readonly #outcomes: BufferOutcome[] = [];

  constructor(get: GetInto) {
    this.#get = get;
    this.#engine = get.buffers.queues.of(get.caller);
    this.#transfer = get.buffer.begin();
  }

  /** An outcome for each item. Rejects when the first engine call fails, and with a defect. */
  async run(items: readonly BufferItem[]): Promise<readonly BufferOutcome[]> {
    try {
      const wanted = await this.#plan(items);
      for (let from = 0, to = 0; from < wanted.length; from = to) {
        to = this.#windowEnd(wanted, from);
        await this.#readWindow(wanted.slice(from, to));
      }
      if (this.#get.buffer.isBroken()) this.#breakAll();
      return this.#outcomes;
    } catch (error) {
      throw problemOfThrown('read', error);
    } finally {
      this.#transfer.end();
    }
  }

  /** Finds out the sizes that the request does not give. */
  async #plan(items: readonly BufferItem[]): Promise<Wanted[]> {
    const wanted: Wanted[] = [];
    const open: Wanted[] = [];
    const { buffer, buffers, refuse } = this.#get;
    const { bytes } = buffer.region;
    for (let index = 0; index < items.length; index++) {
      const item = items[index] as BufferItem;
      this.#outcomes.push({ result: undefined, size: undefined, isCopied: false });
      const extent = extentOf(item, bytes);
      const problem = refuse(item.key) ?? extent;
      if (problem instanceof ProblemError || extent instanceof ProblemError) {
        this.#fail(index, problem as ProblemError);
        continue;
      }
      const { key, hasLayers, ranges } = item;
      const isCopied = buffers.copies || extent.pieces.length > 1;
      const block = undefined;
      const one: Wanted = { index, key, extent, hasLayers, size: extent.bytes, block, isCopied };
      wanted.push(one);
      if (ranges[0]?.size === undefined) open.push(one);
    }
    await this.#querySizes(open);
    const pending = open.length === 0 ? wanted : wanted.filter((one) => this.#isPending(one));
    this.#refuseMisplaced(pending);
    return pending.filter((one) => this.#isPending(one));
  }

  #isPending({ index }: Wanted): boolean {
    return this.#outcomes[index]?.result === undefined;
  }

  async #querySizes(open: readonly Wanted[]): Promise<void> {
    if (open.length === 0) return;
    const keys = open.map(({ key }) => key);
    const { stopped } = await queryKeys(this.#engine, 'read', keys, (at, { size }, code) => {
      const one = open[at] as Wanted;
      if (code !== 0) this.#fail(one.index, problemOfCode('read', code));
      else this.#sized(one, size);
    });
    if (stopped !== undefined) {
      for (const { index } of open.slice(stopped.from)) this.#fail(index, stopped.problem);
    }
  }

  /** Objects that would overwrite each other, and those that do not fit into the arena through which they pass. */
  #refuseMisplaced(wanted: readonly Wanted[]): void {
    const { maxBlockBytes } = this.#engine.arena;
    if (!areInOrder(wanted)) {
      for (const { index } of overlapping(wanted)) this.#fail(index, OVERLAP);
    }
    for (const { index, isCopied, size } of wanted) {
      if (isCopied && size > maxBlockBytes) this.#fail(index, tooLarge(size, maxBlockBytes));
    }
  }

  /** Takes the size that the object has, if that fits. */
  #sized(one: Wanted, size: number): boolean {
    const { index, extent, hasLayers } = one;
    (this.#outcomes[index] as BufferOutcome).size = size;
    if (size > extent.bytes || (hasLayers && size !== extent.bytes)) {
      this.#fail(index, misfit(size, extent.bytes, hasLayers));
      return false;
    }
    one.size = size;
    if (size === 0) (this.#outcomes[index] as BufferOutcome).result = 'read';
    return size > 0;
  }

  #windowEnd(wanted: readonly Wanted[], from: number): number {
    const { arena } = this.#engine;
    const most = Math.min(MAX_COPIED_BYTES, arena.totalBytes / 8);
    let copied = 0;
    const to = partEnd(from, wanted.length, {
      maxBytes: MAX_CALL_BYTES,
      bytesAt: (index) => (wanted[index] as Wanted).size,
    });
    for (let index = from; index < to; index++) {
      const { isCopied, size } = wanted[index] as Wanted;
      if (isCopied) copied += size;
      if (copied > most && index > from) return index;
    }
    return to;
  }

  async #readWindow(wanted: readonly Wanted[]): Promise<void> {
    const blocks: Block[] = [];
    try {
      await this.#place(wanted, blocks);
      const codes = await this.#engine.get(
        wanted.map(({ key }) => key),
        wanted.map(({ block }) => block as Block),
      );
      const suspects: Wanted[] = [];
      for (let n = 0; n < wanted.length; n++) {
        const one = wanted[n] as Wanted;
        const code = codes[n] as number;
        if (code === 0) this.#done(one);
        else if (code === MMC_ERROR) suspects.push(one);
        else this.#fail(one.index, problemOfCode('read', code));
      }
      if (suspects.length > 0) await this.#readSuspects(suspects, blocks);
      await this.#scatter(wanted);
    } finally {
      for (const block of blocks) block.release();
    }
  }

  /** One allocation for all bytes that are copied: a request waits for room only while it holds none. */
  async #place(wanted: readonly Wanted[], blocks: Block[]): Promise<void> {
    const { caller, buffers } = this.#get;
    const { arena } = this.#engine;
    const bytes = wanted.reduce((sum, { isCopied, size }) => sum + (isCopied ? size : 0), 0);
    let room: Block | undefined;
    if (bytes > 0) {
      room = arena.tryAllocate(bytes, peerOf(caller));
      room ??= await waitForRoom(arena, bytes, buffers.arenaWaitMs, caller);
      blocks.push(room);
    }
    let at = 0;
    for (const one of wanted) {
      const { size, extent, isCopied } = one;
      if (isCopied && room !== undefined) {
        one.block = room.slice(at, size);
        at += size;
      } else one.block = this.#transfer.block(extent.pieces[0]?.offset ?? 0, size);
      blocks.push(one.block);
    }
  }

  /** The engine gave no reason. The object may be missing, or have another size than the range. */
  async #readSuspects(suspects: readonly Wanted[], blocks: Block[]): Promise<void> {
    const known = new Map(suspects.map((one) => [one.index, one]));
    const { arena } = this.#engine;
    const findRoom = (size: number, index: number): Block | undefined => {
      const one = known.get(index) as Wanted;
      if (!this.#sized(one, size)) return undefined;
      return one.isCopied
        ? arena.tryAllocate(size)
        : this.#transfer.block(one.extent.pieces[0]?.offset ?? 0, size);
    };
    const asked = suspects.map(({ index, key, block }) => ({ index, key, block: block as Block }));
    for (const { index, problem, block } of await readAgain(this.#engine, asked, findRoom)) {
      const one = known.get(index) as Wanted;
      if (block !== undefined && block.length > 0) {
        blocks.push(block);
        one.block = block;
      }
      // The size did not fit, which has been noted as the problem.
      if (this.#outcomes[index]?.result !== undefined) continue;
      if (problem !== undefined) this.#fail(index, problem);
      else if (block?.length === 0) this.#sized(one, 0);
      else this.#done(one);
    }
  }

  async #scatter(wanted: readonly Wanted[]): Promise<void> {
    const { buffers } = this.#get;
    const copied = wanted.filter(
      ({ index, isCopied, size }) =>
        isCopied && size > 0 && this.#outcomes[index]?.result === 'read',
    );
    if (copied.length === 0) return;
    const copies = copied.flatMap(({ extent, block, size }) =>
      copiesOf(this.#transfer, shortened(extent, size), block as Block, 'scatter'),
    );
    try {
      await buffers.queues.move('copy', () => buffers.shared.copy(copies), this.#get.caller);
    } finally {
      releaseCopies(copies);
    }
  }

  #done({ index, size, isCopied }: Wanted): void {
    const outcome = this.#outcomes[index] as BufferOutcome;
    outcome.result = 'read';
    outcome.size = size;
    outcome.isCopied = isCopied;
  }

  #fail(index: number, problem: ProblemError): void {
    (this.#outcomes[index] as BufferOutcome).result = this.#problems.share(problem);
  }

  #breakAll(): void {
    for (const outcome of this.#outcomes) {
      if (outcome.result === 'read') outcome.result = BROKEN;
    }
  }
}

const misfit = (size: number, room: number, hasLayers: boolean): ProblemError =>
  new ProblemError('buffer-range', {
    detail: hasLayers
      ? `The object has ${size} bytes, and the layers have ${room} together.`
      : `The object has ${size} bytes, and its range has ${room}.`,
  });
