import { MAX_LAYERS } from '../../config/layouts.ts';
import { ProblemError } from '../../errors/problems.ts';
import type { Block } from '../../native/abi/types.ts';
import { type Caller, peerOf } from '../../scheduler/arena-room.ts';
import { refusalOf } from '../admission.ts';
import type { ValueSink } from '../batch/batch-writer.ts';
import { grown, UNSIZED_START_BYTES } from '../grown-block.ts';
import type { ObjectStore } from '../object-store.ts';
import { emptyLayer, layersMismatch, layersOf, sumOf, tooManyLayers } from './layers.ts';

export interface LayerWriterContext {
  readonly store: Pick<ObjectStore, 'arena' | 'poolBytes' | 'reserve'>;
  readonly maxObjectBytes: number;
  readonly unsizedBytes: number;
  readonly replicas: number;
  /** The sizes of the layers, where the request names them. */
  readonly expected: readonly number[] | undefined;
  /** Upper bound for the bytes of all layers, where the request has one. */
  readonly maxBytes: number | undefined;
  readonly caller: Caller | undefined;
}

/** Upper bound for the bytes of a multipart body that are not in a layer: part headers and boundaries. */
const MAX_FRAMING_BYTES = (MAX_LAYERS + 2) * 17 * 1024;

/**
 * Receives layers, one behind the other, into one block. Each layer has a number. If all sizes are known,
 * the layers may arrive in any order, and each is written to its place. Otherwise they must arrive in
 * order; the block is then as large as the layers can be, or grows.
 */
export class LayerWriter implements ValueSink {
  readonly #context: LayerWriterContext;
  /** Sizes and offsets of all layers, where they are known. */
  #sizes: readonly number[] | undefined;
  #starts: readonly number[] = [];
  #block: Block | undefined;
  #discarded = false;
  /** Complete layers, and their bytes. */
  #count = 0;
  #bytes = 0;
  /** The current layer: its number, its offset, and the bytes received of it. */
  #number = 0;
  #start = 0;
  #taken = 0;

  /** @throws as `announce` */
  constructor(context: LayerWriterContext) {
    this.#context = context;
    if (context.expected !== undefined) this.announce(context.expected);
  }

  /** Sets the sizes of all layers. @throws ProblemError `layers-mismatch`, or why they cannot be stored */
  announce(sizes: readonly number[]): void {
    const { expected } = this.#context;
    if (expected !== undefined) requireSizes(expected, sizes);
    const refusal = this.#refusal(sumOf(sizes));
    if (refusal !== undefined) throw refusal;
    this.#sizes = sizes;
    this.#starts = layersOf(sizes).map(({ start }) => start);
  }

  /** Allocates the block, as large as the request says. Must be called before the first layer. */
  prepare(): void | Promise<void> {
    const { store, maxBytes, maxObjectBytes, unsizedBytes, caller } = this.#context;
    // A body that is too large even without its boundaries is refused before it is received.
    const least = this.#sizes === undefined ? (maxBytes ?? 0) - MAX_FRAMING_BYTES : 1;
    const refusal = this.#refusal(Math.max(1, least));
    if (refusal !== undefined) throw refusal;
    const bytes =
      this.#sizes !== undefined
        ? sumOf(this.#sizes)
        : maxBytes !== undefined
          ? Math.min(maxBytes, maxObjectBytes)
          : Math.min(UNSIZED_START_BYTES, unsizedBytes);
    const block = store.reserve(Math.max(1, bytes), caller);
    if (!(block instanceof Promise)) {
      this.#block = block;
      return;
    }
    return block.then((given) => {
      // The request may have ended while it waited.
      if (this.#discarded) given.release();
      else this.#block = given;
    });
  }

  begin(name: string, bytes: number | undefined): void | Promise<void> {
    const number = Number(name);
    if (number >= MAX_LAYERS) throw tooManyLayers();
    const size = this.#sizes?.[number];
    if (this.#sizes !== undefined && size === undefined) {
      throw layersMismatch(
        `The body has more layers than the ${this.#sizes.length} whose sizes are given.`,
        this.#bytes,
        this.#bytes + (bytes ?? 1),
      );
    }
    if (size !== undefined && bytes !== undefined && bytes !== size) {
      throw wrongSize(number, size, bytes);
    }
    this.#number = number;
    this.#start = this.#starts[number] ?? this.#bytes;
    this.#taken = 0;
    if (this.#block === undefined) return this.prepare();
  }

  take(chunk: Uint8Array): void {
    if (this.#block === undefined) return;
    const taken = this.#taken + chunk.length;
    const size = this.#sizes?.[this.#number];
    if (size !== undefined && taken > size) throw wrongSize(this.#number, size, taken, 'or more ');
    const at = this.#start + this.#taken;
    const needed = at + chunk.length;
    if (needed > this.#block.length) this.#block = this.#grown(this.#block, at, needed);
    this.#block.view.set(chunk, at);
    this.#taken = taken;
  }

  finish(): void {
    const size = this.#sizes?.[this.#number];
    if (size !== undefined && this.#taken !== size) {
      throw wrongSize(this.#number, size, this.#taken);
    }
    if (this.#taken === 0) throw emptyLayer(this.#number);
    this.#count += 1;
    this.#bytes += this.#taken;
  }

  /** The block with all layers, which the caller must release, and the bytes of all layers. */
  complete(): { block: Block; bytes: number } {
    const sizes = this.#sizes;
    if (sizes !== undefined && this.#count < sizes.length) {
      throw layersMismatch(
        `The body has ${this.#count} layers, but the sizes of ${sizes.length} are given.`,
        sumOf(sizes),
        this.#bytes,
      );
    }
    const refusal = this.#refusal(this.#bytes);
    const block = this.#block;
    if (refusal !== undefined || block === undefined) {
      throw refusal ?? new ProblemError('empty-object');
    }
    this.#block = undefined;
    return { block, bytes: this.#bytes };
  }

  /** Releases the block, when the request fails. */
  discard(): void {
    this.#discarded = true;
    this.#block?.release();
    this.#block = undefined;
  }

  #refusal(bytes: number): ProblemError | undefined {
    const { replicas, maxObjectBytes, store } = this.#context;
    return refusalOf(bytes, replicas, { maxObjectBytes, poolBytes: store.poolBytes });
  }

  #grown(block: Block, used: number, needed: number): Block {
    const { store, maxBytes, unsizedBytes, caller } = this.#context;
    if (maxBytes === undefined) {
      return grown(store.arena, block, used, needed, unsizedBytes, peerOf(caller));
    }
    throw (
      this.#refusal(needed) ?? new Error(`the layers have more bytes than their body, ${maxBytes}`)
    );
  }
}

function requireSizes(expected: readonly number[], sizes: readonly number[]): void {
  if (expected.length !== sizes.length) {
    throw layersMismatch(
      `The body has ${sizes.length} layers, but the sizes of ${expected.length} are given.`,
      sumOf(expected),
      sumOf(sizes),
    );
  }
  sizes.forEach((bytes, number) => {
    const wanted = expected[number] as number;
    if (bytes !== wanted) throw wrongSize(number, wanted, bytes);
  });
}

const wrongSize = (number: number, expected: number, actual: number, open = ''): ProblemError =>
  layersMismatch(
    `Layer ${number} must have ${expected} bytes, but the body has ${actual} ${open}bytes for it.`,
    expected,
    actual,
  );
