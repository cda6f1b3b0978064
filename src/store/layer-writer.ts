import { MOST_LAYERS } from '../config-layouts.ts';
import { ProblemError } from '../errors.ts';
import type { Block } from '../native/types.ts';
import { refusalOf } from './admission.ts';
import { type Caller, peerOf } from './arena-room.ts';
import type { ValueSink } from './batch-writer.ts';
import { grown, UNSIZED_START_BYTES } from './grown-block.ts';
import { emptyLayer, layersMismatch, layersOf, sumOf, tooManyLayers } from './layers.ts';
import type { ObjectStore } from './object-store.ts';

export interface LayerWriterContext {
  readonly store: Pick<ObjectStore, 'arena' | 'poolBytes' | 'reserve'>;
  readonly maxObjectBytes: number;
  readonly unsizedBytes: number;
  readonly replicas: number;
  /** The sizes that the layers are to have, where the request names them. */
  readonly expected: readonly number[] | undefined;
  /** Bytes that the layers have together at most, where the request tells. */
  readonly mostBytes: number | undefined;
  readonly caller: Caller | undefined;
}

/** Of a multipart body: the heads of all parts, at their longest, and what is between them. */
const MOST_FRAMING_BYTES = (MOST_LAYERS + 2) * 17 * 1024;

/**
 * Puts layers, one behind the other, into one block. Layers come under their numbers; where sizes are
 * known they may come in any order, and each goes to its place. Otherwise they come in order, into a
 * block of as many bytes as there can be, or one that grows.
 */
export class LayerWriter implements ValueSink {
  readonly #context: LayerWriterContext;
  /** Bytes and places of all layers, where they are known. */
  #sizes: readonly number[] | undefined;
  #starts: readonly number[] = [];
  #block: Block | undefined;
  #discarded = false;
  /** Layers that are complete, and all of their bytes. */
  #count = 0;
  #bytes = 0;
  /** Of the layer under way: its number, where it starts, and how much of it has come. */
  #number = 0;
  #start = 0;
  #taken = 0;

  /** Throws what `announce` does. */
  constructor(context: LayerWriterContext) {
    this.#context = context;
    if (context.expected !== undefined) this.announce(context.expected);
  }

  /** Tells the sizes of all layers. @throws ProblemError `layers-mismatch`, or why they can't be stored */
  announce(sizes: readonly number[]): void {
    const { expected } = this.#context;
    if (expected !== undefined) requireSizes(expected, sizes);
    const refusal = this.#refusal(sumOf(sizes));
    if (refusal !== undefined) throw refusal;
    this.#sizes = sizes;
    this.#starts = layersOf(sizes).map(({ start }) => start);
  }

  /** Waits for the room that is needed, as far as that is known. To be called before anything comes. */
  prepare(): void | Promise<void> {
    const { store, mostBytes, maxObjectBytes, unsizedBytes, caller } = this.#context;
    // What cannot be all framing is refused before it is received.
    const least = this.#sizes === undefined ? (mostBytes ?? 0) - MOST_FRAMING_BYTES : 1;
    const refusal = this.#refusal(Math.max(1, least));
    if (refusal !== undefined) throw refusal;
    const bytes =
      this.#sizes !== undefined
        ? sumOf(this.#sizes)
        : mostBytes !== undefined
          ? Math.min(mostBytes, maxObjectBytes)
          : Math.min(UNSIZED_START_BYTES, unsizedBytes);
    const block = store.reserve(Math.max(1, bytes), caller);
    if (!(block instanceof Promise)) {
      this.#block = block;
      return;
    }
    return block.then((given) => {
      // The request may have ended meanwhile.
      if (this.#discarded) given.release();
      else this.#block = given;
    });
  }

  begin(name: string, bytes: number | undefined): void | Promise<void> {
    const number = Number(name);
    if (number >= MOST_LAYERS) throw tooManyLayers();
    const size = this.#sizes?.[number];
    if (this.#sizes !== undefined && size === undefined) {
      throw layersMismatch(
        `More than the ${this.#sizes.length} layers came whose sizes are named.`,
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

  /** The block with all layers, of which the caller becomes the user, and how many bytes they have. */
  complete(): { block: Block; bytes: number } {
    const sizes = this.#sizes;
    if (sizes !== undefined && this.#count < sizes.length) {
      throw layersMismatch(
        `${this.#count} layers came, and the sizes of ${sizes.length} are named.`,
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

  /** Lets go of what has come, when the rest will not. */
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
    const { store, mostBytes, unsizedBytes, caller } = this.#context;
    if (mostBytes === undefined) {
      return grown(store.arena, block, used, needed, unsizedBytes, peerOf(caller));
    }
    throw (
      this.#refusal(needed) ?? new Error(`the layers have more bytes than their body, ${mostBytes}`)
    );
  }
}

function requireSizes(expected: readonly number[], sizes: readonly number[]): void {
  if (expected.length !== sizes.length) {
    throw layersMismatch(
      `${sizes.length} layers came, and the sizes of ${expected.length} are named.`,
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
    `Layer ${number} is to have ${expected} bytes, and ${actual} ${open}came.`,
    expected,
    actual,
  );
